"""Every online agent in every preset of a scenario: who is hurt, who comes back, and what never committing costs.

    python benchmarks/scenarios.py [--table nano]

Writes `results/scenarios_<table>.json`, `docs/scenarios-results.md` and a picture of each preset beside it. What is
done already lies in `results/blocks`, and is not run again.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from results_file import rounded, save
from rich.progress import Progress

from llm_routing_env.agents import AGENTS, agent_class
from llm_routing_env.evaluation.comparison import run_comparison
from llm_routing_env.evaluation.engines import make_engine
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.intervals import published, shown
from llm_routing_env.evaluation.judging import POOLED
from llm_routing_env.evaluation.plots.curves import regret_rate
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.report.recovery import ABOUT_RECOVERY, effect_cells, recovery_cells, recovery_heads
from llm_routing_env.rewards.forms import DEFAULT_FORM, FORMS
from llm_routing_env.scenarios import PRESETS
from llm_routing_env.tables.load import load_table

ROOT = Path(__file__).parents[1]
BLOCKS = ROOT / "results" / "blocks"
NONE = "no scenario"
PAPER = ("learning_automaton", "epsilon_greedy_q")
# The same rules under another answer to the question whether to commit.
VARIANTS: dict[str, dict[str, Any]] = {f"{name} recommits": {"recommit": "page_hinkley"} for name in PAPER}
VARIANTS |= {
    "learning_automaton never commits": {"threshold": 0.0},
    "epsilon_greedy_q never commits": {"commit_rounds": None},
}
ONLINE = [name for name in AGENTS if name != "fixed" and agent_class(name).protocol() == "online"]
DRAWN = (*PAPER, *(f"{name} recommits" for name in PAPER), "ucb1", "sliding_window_ucb", "discounted_ucb", "softmax")
SHOWN = ("reward", "regret", "committed", "wrong_commit")
LATE = 100  # queries after which whoever is to learn has


def main(
    table: Annotated[str, typer.Option(help="Shipped table's name, or a path.")] = "nano",
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 20,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
    docs: Annotated[Path, typer.Option(help="Folder of the page and its pictures.")] = ROOT / "docs",
    seed: int = 0,
) -> None:
    """Run every agent in every preset under both reward forms, and write the page; details are of the default form."""
    docs.mkdir(parents=True, exist_ok=True)
    found: dict[str, dict[str, Any]] = {form: {} for form in FORMS}
    summaries, details = [], []
    for form in FORMS:
        quiet, backs = run(NONE, table, form, sessions, engine, seed), {}
        found[form][NONE] = facts(quiet)
        for preset in PRESETS:
            result = run(preset, table, form, sessions, engine, seed)
            found[form][preset] = facts(result)
            backs[preset] = {name: back(result, name) for name in result.agents}
            if form == DEFAULT_FORM:
                details += section(preset, result)
                picture(result, docs / f"scenario_{preset}.png")
        summaries += [*who_comes_back(form, backs), *cost(quiet)]
    path, page = save("scenarios", load_table(table), found), docs / "scenarios-results.md"
    lines = [*about(quiet), *summaries, *details, "", ABOUT_RECOVERY, ""]
    page.write_text("\n".join(lines), encoding="utf-8")
    print(f"wrote {path}, {page} and {len(PRESETS)} pictures")


def run(preset: str, table: str, form: str, sessions: int, engine: str, seed: int) -> Comparison:
    """Compare all agents in a preset; what was run before is taken from `results/blocks`."""
    options = {"table": table, "reward": form} | ({} if preset == NONE else {"scenario": preset})
    rows = [*ONLINE, *(f"{row}={row.partition(' ')[0]}" for row in VARIANTS)]
    with Progress(transient=True) as progress:
        bar = progress.add_task("", total=None)

        def show(name: str, done: int, total: int) -> None:
            progress.update(bar, description=f"{form}, {preset}: {name}", completed=done, total=total)

        return run_comparison(
            contestants(rows, VARIANTS),
            Setting(options, seed=seed),
            sessions,
            engine=make_engine(engine),
            blocks_folder=BLOCKS,
            on_progress=show,
        )


def facts(result: Comparison) -> dict[str, Any]:
    """Return what is kept of a comparison, JSON-plain."""
    document = result.document()
    kept = {name: document[name] for name in ("reward", "weights", "sessions", "length", "failures")}
    metrics = {
        name: {metric: published(result.metrics[name][POOLED][metric]) for metric in SHOWN} for name in result.agents
    }
    pairs = {f"{name} recommits": published(result.pairs[f"{name} recommits"][name]) for name in PAPER}
    late = {name: late_regret(result, name) for name in result.agents}
    more = {"agents": metrics, "late_regret": late, "recommits_minus_not": pairs}
    recovery = {"recovery": document["recovery"]} if "recovery" in document else {}
    return {name: rounded(value) for name, value in (kept | more | recovery).items()}


def late_regret(result: Comparison, name: str) -> float:
    """Return the regret per query after the first `LATE`, contexts weighted equally."""
    return float(np.mean([log.measures["regret"][:, LATE:].mean() for log in result.logs[name].values()]))


def picture(result: Comparison, path: Path) -> None:
    """Write the regret of some agents over a session."""
    plot = regret_rate(replace(result, contestants={name: result.contestants[name] for name in DRAWN}))
    plot.figure.savefig(path, dpi=100, facecolor="white")


def about(result: Comparison) -> list[str]:
    """Return what the page is about."""
    problem = result.problem
    return [
        "# Every online agent in every scenario",
        "",
        f"Made by `python benchmarks/scenarios.py`: {result.n_sessions} sessions of up to {result.length} queries in "
        f"each context of {problem.table.name}, {problem.split} split, weights "
        f"{', '.join(f'{weight:g}' for weight in problem.reward.weights)}, defaults of all agents, a fresh learner per "
        "session. The same sessions in each scenario. Regret is to the best LLM of the context at that moment. What it "
        "shows is said in [scenarios.md](scenarios.md#what-events-do-to-agents).",
    ]


def who_comes_back(form: str, backs: dict[str, dict[str, str]]) -> list[str]:
    """Return the table of a reward form, given what is said of each agent in each preset."""
    names = list(next(iter(backs.values())))
    return [
        "",
        f"## Who comes back, reward `{form}`",
        "",
        "Of the sessions that an event hurts, which lose more than before and more than without the scenario, the "
        "share that is back before the next event, and the median number of queries until then (>: most never are); "
        "the lowest regret after the first event is bold. A scenario with several events has an entry for each of "
        "them, in their order. A dash: it hurts under 3 % of the sessions.",
        "",
        *table(["", *backs], [[f"`{name}`", *(of_preset[name] for of_preset in backs.values())] for name in names]),
    ]


def back(result: Comparison, name: str) -> str:
    """Return how an agent comes back from each event of a scenario."""
    if not result.events:  # it is so from the first step on
        return "–"
    cells = []
    for events, effect in zip(result.events, result.recovery[name].effects, strict=True):
        hurt = effect.hurt["mean"] if effect else None
        if effect is None or hurt is None or hurt < 0.03:
            cells.append("–")
        else:
            median = effect_cells(effect, events)[2]
            cells.append(f"{(effect.back['mean'] or 0) / hurt:.0%} ({median})")
    after = {other: found.after["mean"] or 0.0 for other, found in result.recovery.items()}
    said = "; ".join(cells)
    return f"**{said}**" if after[name] == min(after.values()) else said


def cost(result: Comparison) -> list[str]:
    """Return what committing and not committing cost where nothing changes."""
    rows = []
    for name in result.agents:
        metrics = result.metrics[name][POOLED]
        committed, wrong = (metrics[metric]["mean"] or 0.0 for metric in ("committed", "wrong_commit"))
        settles = f"{committed:.0%}, {wrong:.0%}" if committed else "–"
        rows.append([f"`{name}`", shown(metrics["regret"], ".1f"), f"{late_regret(result, name):.3f}", settles])
    paired = [
        f"- `{name}`: recommitting changes the reward of a query by "
        f"{shown(result.pairs[f'{name} recommits'][name], '+.4f')} where nothing changes."
        for name in PAPER
    ]
    return [
        "",
        f"## What never committing costs where nothing changes, reward `{result.problem.reward.form}`",
        "",
        *table(["", "regret of a session [95 %]", f"per query after {LATE}", "commits, wrongly"], rows),
        "",
        *paired,
    ]


def section(preset: str, result: Comparison) -> list[str]:
    """Return what is said of a preset."""
    rows = [
        [f"`{name}`", shown(metrics["reward"]), *(recovery_cells(result, name) if result.events else ())]
        for name, metrics in sorted(
            ((name, result.metrics[name][POOLED]) for name in result.agents),
            key=lambda each: -(each[1]["reward"]["mean"] or 0.0),
        )
    ]
    events = "; ".join(", ".join(f"{key} {value}" for key, value in event.items()) for event in PRESETS[preset])
    head = ["", f"## {preset}", "", f"{events}.", "", f"![regret per query](scenario_{preset}.png)", ""]
    return [*head, *table(["", "reward [95 %]", *(recovery_heads(result) if result.events else ())], rows)]


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a table."""
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


if __name__ == "__main__":
    typer.run(main)
