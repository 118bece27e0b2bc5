"""All agents that may ask several LLMs, beside routers of one call and single LLMs: accuracy, cost, and how many asks.

    python benchmarks/asks_agents.py [--table nano] [--sessions 20] [--draw-only]

Under three rewards: both forms at the usual weights, and one that hardly minds the cost. Writes
`results/asks_agents_TABLE.json`, which `readme.py` makes docs/related.md's table of, and draws `docs/asks_TABLE.png`
under the additive form: on the left what each reaches for its cost, with the convex hull of the single LLMs, which
anyone reaches who shares queries at random between two of them; on the right the share of queries by number of asks.
"""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from results_file import file_of, rounded, save
from rich.console import Console
from rich.table import Table

from llm_routing_env.agents import ASKING_AGENTS, agent_class
from llm_routing_env.evaluation.comparison import compare
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.plots.costs import draw_hull, name_points, scale_x
from llm_routing_env.evaluation.plots.hull import non_decreasing_hull
from llm_routing_env.evaluation.plots.style import MUTED, PALETTE, legend_below, named_lines, new_figure
from llm_routing_env.evaluation.references import CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.sessions import N_ASKS
from llm_routing_env.tables.load import load_table

DOCS = Path(__file__).parent.parent / "docs"
ENV = "PickLLM-Multi-v0"
ROUTERS = ("uniroute", "knn_router", "linear_router", "ipo_router", "hull_router", "tier_router", "llm_bandit")
MARKERS = "osD^vP*Xp<>"
MOST_ASKS = 4  # more are drawn as so many
SETTINGS: dict[str, dict[str, Any]] = {
    "pickllm": {"reward": "pickllm", "weights": (1.0, 0.5, 0.5)},
    "additive": {"reward": "additive", "weights": (1.0, 0.5, 0.5)},
    "additive, (1, 0.1, 0)": {"reward": "additive", "weights": (1.0, 0.1, 0.0)},
}
DRAWN = "additive"
# Rows of the table alone: how a gate learns, and what it sees.
VARIANTS = {
    "gate online": ("advisor_gate", {}),
    "gate online, sees matching": ("advisor_gate", {"observation": "embedding32+asks+matching"}),
    "gate, sees all": ("advisor_gate@pretrained", {"observation": "embedding+asks+matching"}),
}


def main(
    table: Annotated[str, typer.Option(help="A table's name or path, with embeddings and responses.")] = "nano",
    sessions: Annotated[int, typer.Option(min=1, help="Sessions per context.")] = 20,
    draw_only: Annotated[bool, typer.Option("--draw-only", help="Draw the committed result anew.")] = False,
) -> None:
    """Compare them all on one table, save what was found, and draw it."""
    loaded = load_table(table)
    if not draw_only:
        found = {name: _compared(table, sessions, told) for name, told in SETTINGS.items()}
        print(f"wrote {save('asks_agents', loaded, {'sessions': sessions, 'settings': found})}")
    path = file_of("asks_agents", loaded)
    drawn = json.loads(path.read_text(encoding="utf-8"))["result"]["settings"][DRAWN]
    _print(drawn["rows"])
    label = path.stem.removeprefix("asks_agents_")
    print(f"wrote {_draw(drawn, DOCS / f'asks_{label}.png')}")


def _compared(table: str, sessions: int, told: dict[str, Any]) -> dict[str, Any]:
    """Return what all of them reach under one reward."""
    result = compare(
        (*_asking(), *(f"{row}={agent}" for row, (agent, _) in VARIANTS.items()), *ROUTERS),
        env=ENV,
        table=table,
        n_sessions=sessions,
        training_seeds=1,
        parameters={row: given for row, (_, given) in VARIANTS.items()},
        **told,
    )
    return told | {"rows": rounded(_rows(result)), "failures": result.failures}


def _asking() -> list[str]:
    """Return the asking agents, fitted where they can be."""
    online = [name for name in ASKING_AGENTS if agent_class(name).protocol() == "online"]
    return [f"{name}@pretrained" if name in online else name for name in ASKING_AGENTS]


def _rows(result: Comparison) -> list[dict[str, Any]]:
    rows = []
    singles = [name for name in result.references.actions if name.startswith("always ")]
    for name in (*result.agents, *singles, CONTEXT_BEST, ORACLE):
        found = result.metrics[name][POOLED]
        asks = [log.measures[N_ASKS] for log in result.logs[name].values() if N_ASKS in log.measures]
        shares = [[float((each == n).mean()) for each in asks] for n in range(1, result.problem.table.n_llms + 1)]
        kind = "agent" if name in result.agents else "single" if name in singles else "reference"
        rows.append(
            {
                "name": name.removeprefix("always "),
                "kind": "variant" if name in VARIANTS else "asking" if asks else kind,
                "cost_usd": found["session_cost_usd"]["mean"] / result.length,
                **{metric: found[metric] for metric in ("accuracy", "reward", "oracle_gap_closed")},
                "asks": [float(np.mean(share)) for share in shares] if asks else [],
            }
        )
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    shown = Table("name", "accuracy", "$/1,000 queries", "reward", "gap", "asks per query")
    for row in rows:
        asks = f"{sum(n * share for n, share in enumerate(row['asks'], 1)):.2f}" if row["asks"] else "1"
        gap = row["oracle_gap_closed"]["mean"]
        numbers = f"{row['accuracy']['mean']:.3f}", f"{1000 * row['cost_usd']:.4g}", f"{row['reward']['mean']:.3f}"
        shown.add_row(row["name"], *numbers, "-" if gap is None else f"{gap:.0%}", asks)
    Console().print(shown)


def _draw(found: dict[str, Any], path: Path) -> Path:
    figure = new_figure(9.0, 4.4)
    plane, shares = figure.subplots(1, 2, width_ratios=(3, 2))
    rows = [row for row in found["rows"] if row["kind"] != "variant"]
    points = {row["name"]: (1000 * row["cost_usd"], row["accuracy"]["mean"]) for row in rows}
    singles = {row["name"]: points[row["name"]] for row in rows if row["kind"] == "single"}
    costs = [cost for cost, _ in points.values()]
    scale_x(plane, costs)
    draw_hull(plane, non_decreasing_hull(*np.array(list(singles.values())).T), max(costs))
    plane.plot(*np.array(list(singles.values())).T, "s", color=MUTED, ms=6)
    for colour, kind in (("#b8b8b8", "agent"), (PALETTE[1], "asking")):
        of_kind = [row["name"] for row in rows if row["kind"] == kind]
        for marker, name in zip(MARKERS, of_kind, strict=False):
            face = {"mfc": "none"} if kind == "agent" else {}
            plane.plot(
                *points[name], marker, color=colour if kind == "asking" else MUTED, ms=7, ls="", label=name, **face
            )
    for row, marker in zip([row for row in rows if row["kind"] == "reference"], "+x", strict=True):
        plane.plot(*points[row["name"]], marker, color="black", ms=9, ls="", label=row["name"])
    plane.set(xlabel="cost of 1,000 queries (US dollars)", ylabel="share of right answers")
    plane.margins(x=0.1, y=0.1)
    _draw_shares(shares, [row for row in rows if row["kind"] == "asking"])
    form = f"reward {found['reward']!r}, weights {', '.join(f'{weight:g}' for weight in found['weights'])}"
    figure.suptitle(f"Several asks, routers of one call and single LLMs; {form}", fontsize=10)
    legend_below(figure, named_lines(plane))
    name_points(figure, plane, singles, points.values())
    figure.savefig(path, dpi=150, facecolor="white")
    return path


def _draw_shares(axis: Any, rows: list[dict[str, Any]]) -> None:
    """Draw the share of queries by number of asks, a bar for each agent."""
    names, left = [row["name"].partition("@")[0] for row in rows], np.zeros(len(rows))
    for n in range(1, MOST_ASKS + 1):
        last = n == MOST_ASKS
        width = np.array([sum(row["asks"][n - 1 :]) if last else sum(row["asks"][n - 1 : n]) for row in rows])
        words = f"{n} or more" if last and any(len(row["asks"]) > n for row in rows) else f"{n}"
        axis.barh(names, width, left=left, color=str(0.88 - 0.22 * (n - 1)), edgecolor="white", label=words)
        left += width
    axis.invert_yaxis()
    axis.set(xlabel="share of queries, by number of asks", xlim=(0, 1))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=MOST_ASKS, fontsize=8, frameon=False)


if __name__ == "__main__":
    typer.run(main)
