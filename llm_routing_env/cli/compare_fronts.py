"""`pickllm compare --env PickLLM-MO-v0`: what it takes, prints and writes."""

import csv
import json
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cli import options
from llm_routing_env.cli.columns import print_table
from llm_routing_env.cli.compare_ending import failed_agents
from llm_routing_env.evaluation.fronts import Fronts
from llm_routing_env.evaluation.intervals import published
from llm_routing_env.evaluation.setting import OBJECTIVES
from llm_routing_env.report.fronts import HEADS, about_fronts, front_cells, write_front_report
from llm_routing_env.stopping import IncompleteError
from llm_routing_env.terminal import Terminal

DEFAULT_AGENTS = "llm_bandit,knn_router"
# What is about sessions, about one weighing of the objectives, or about more than recorded outcomes.
_NOT_HERE = (
    *("sessions", "length", "weights", "scenario", "feedback_delay", "max_usd_per_query", "backend", "pool", "max_usd"),
    *("max_requests", "max_in_flight", "sweep", "sweep_sessions", "lifetimes", "lifetime_queries", "lifetimes_from"),
    *("log", "against", "resume", "engine", "address", "log_steps", "tensorboard"),
)


def require_of_fronts(ctx: typer.Context) -> None:
    """Raise ValueError for an option that a comparison by preferences does not have."""
    given = [name for name in _NOT_HERE if options.is_given(ctx, name)]
    if given:
        raise ValueError(
            f"{OBJECTIVES} judges fitted routers on every query of a table, by many preferences at once: leave "
            f"--{given[0].replace('_', '-')} out."
        )
    if options.is_given(ctx, "reward") and ctx.params["reward"] != "additive":
        raise ValueError(f"{OBJECTIVES} weighs objectives by adding them: --reward additive, or leave it out.")


def end_fronts(
    console: Terminal, result: Fronts, run: dict[str, Any], out: Path | None, *, command: str, as_json: bool
) -> None:
    """Print and write a comparison by preferences.

    Raises:
        IncompleteError: An agent has no results, because it failed.
        RuntimeError: None has.
    """
    document = result.document() | {"run": run}
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _print(console, result)
    if out is not None:
        for path in _write(result, {"command": command, **document}, out, command):
            console.print(f"wrote {path}", markup=False, highlight=False, soft_wrap=True)
    if len(result.failures) == len(result.contestants):
        raise RuntimeError("; ".join(f"{name}: {line}" for name, line in result.failures.items()))
    for line in failed_agents(result.failures):
        raise IncompleteError(line)


def _print(console: Terminal, result: Fronts) -> None:
    of_agents = [name for name in result.rows if name in result.contestants]
    rows: list[list[str]] = []
    for kind, names in (("pretrained", of_agents), ("references", [n for n in result.rows if n not in of_agents])):
        of_kind = [[escape(name), *map(escape, front_cells(result, name))] for name in names]
        rows += [[f"[bold]{kind}[/bold]"], *of_kind, []]
    print_table(console, ("", *HEADS), rows)
    for name, line in result.failures.items():
        console.print(f"{name} failed: {line}", highlight=False, markup=False, style="red")
    for line in about_fronts(result):
        console.print(line, highlight=False, markup=False)


def _write(result: Fronts, document: dict[str, Any], folder: Path, command: str) -> list[Path]:
    from llm_routing_env.evaluation.plots.fronts import draw_fronts

    folder.mkdir(parents=True, exist_ok=True)
    written = [folder / "results.json", folder / "results.csv"]
    with replacing(written[0]) as new:
        new.write_text(json.dumps(document, indent=2), encoding="utf-8")
    with replacing(written[1]) as new, new.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "name", "metric", "mean", "low", "high"])
        for name, row in result.rows.items():
            kind = "agent" if name in result.contestants else "reference"
            for metric in ("hypervolume", "utility", "gain"):
                writer.writerow([kind, name, metric, *published(getattr(row, metric)).values()])
    for plot in draw_fronts(result):
        if plot.figure is not None:
            written.append(folder / f"{plot.name}.png")
            with replacing(written[-1]) as new:
                plot.figure.savefig(new, format="png", dpi=190, facecolor="white")
    return [*written, write_front_report(result, folder / "report.html", command=command)]
