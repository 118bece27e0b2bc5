"""`pickllm compare`: agents over sessions, beside what could be had."""

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from llm_routing_env.cli import options
from llm_routing_env.evaluation import comparison
from llm_routing_env.evaluation.metrics import METRICS
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE

DEFAULT_AGENTS = "learning_automaton,epsilon_greedy_q,random,round_robin,cheapest"
TABLE_WIDTH = 100  # narrower, the numbers would be cut off
Metrics = dict[str, dict[str, float | None]]


def compare(
    agents: Annotated[
        str, typer.Option(help="Agents, separated by commas; module:Class for your own.")
    ] = DEFAULT_AGENTS,
    sessions: Annotated[int, typer.Option(help="Sessions per context.")] = 100,
    length: Annotated[int, typer.Option(help="Queries per session.")] = 200,
    table: options.Table = "nano",
    context: options.Context = None,
    split: options.Split = "test",
    reward: options.RewardForm = "pickllm",
    weights: options.Weights = "1,0.5,0.5",
    scorer: options.Scorer = None,
    backend: options.Backend = "table",
    pool: options.Pool = None,
    param: options.Parameters = None,
    seed: options.Seed = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for results.json, results.csv and figures.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare agents on the same sessions, with 95 % bootstrap intervals and the references beside them."""
    names = [name.strip() for name in agents.split(",") if name.strip()]
    console = Console(stderr=as_json)
    console.width = max(console.width, TABLE_WIDTH)
    with _progress(console, len(names), length) as on_step:
        result = comparison.compare(
            names,
            n_sessions=sessions,
            length=length,
            seed=seed,
            backend=backend,
            pool=pool,
            parameters=options.parse_parameters(param, names),
            on_step=on_step,
            table=table,
            context=context,
            split=split,
            reward=reward,
            weights=options.parse_weights(weights),
            scorer=scorer,
        )
    document = result.document()
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _print(console, document)
    if out is not None:
        for path in _write(result, document, out):
            console.print(f"wrote {path}", highlight=False)


@contextmanager
def _progress(console: Console, n_agents: int, length: int) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("", total=None)
        yield lambda agent, context: progress.update(bar, advance=1, description=f"{agent} on {context}")


def _print(console: Console, document: dict[str, Any]) -> None:
    references = document["references"]
    fixed, by_context, oracle = (
        references[name]["all"]["reward"]["mean"] for name in (BEST_FIXED, CONTEXT_BEST, ORACLE)
    )
    console.print(
        f"\n{document['sessions']} sessions per context, {document['split']} split, reward {document['reward']!r}, "
        f"weights {document['weights']}, seed {document['seed']}"
    )
    console.print(
        f"Headroom: best fixed LLM ({document['best_fixed_llm']}) {fixed:.3f}, per-context best {by_context:.3f}, "
        f"per-query oracle {oracle:.3f}."
    )
    if oracle > fixed:
        console.print(
            f"Knowing the context closes {(by_context - fixed) / (oracle - fixed):.0%} of the gap to the oracle."
        )
    title = "Means with 95 % intervals, contexts weighted equally; agents learn online unless marked"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in ("", "reward", "right", "$/session", "latency", "regret", "commits", "to best", "gap"):
        table.add_column(column, justify="left" if column == "" else "right", no_wrap=True)
    for row in document["agents"]:
        if row["context"] == "all":
            mark = "" if row["protocol"] == "online" else f" ({row['protocol']})"
            name = row["agent"].rpartition(":")[2]  # of module:Class, the class
            table.add_row(f"{name}{mark}", *_cells(row["metrics"]))
    table.add_section()
    for name, contexts in references.items():
        table.add_row(name, *_cells(contexts["all"]))
    console.print(table)
    console.print(
        "right: share of right answers. commits: queries until it does. to best: sessions that committed to their "
        "context's best LLM. gap: share closed of the gap between the best fixed LLM and the oracle."
    )


def _cells(metrics: Metrics) -> list[str]:
    reward = metrics["reward"]
    return [
        f"{reward['mean']:.2f} [{reward['low']:.2f}, {reward['high']:.2f}]",
        _format(metrics, "accuracy", "{:.3f}"),
        _format(metrics, "session_cost_usd", "{:.1e}"),
        _format(metrics, "latency_s", "{:.0f} ms", 1000),
        _format(metrics, "regret", "{:.1f}"),
        _format(metrics, "queries_to_commit", "{:.0f}"),
        _format(metrics, "correct_commit", "{:.0f} %", 100),
        _format(metrics, "oracle_gap_closed", "{:.0f} %", 100),
    ]


def _format(metrics: Metrics, name: str, form: str, factor: float = 1.0) -> str:
    mean = metrics[name]["mean"]
    return "-" if mean is None else form.format(mean * factor)


def _write(result: comparison.Comparison, document: dict[str, Any], folder: Path) -> list[Path]:
    from llm_routing_env.evaluation.plots import write_figures

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    with (folder / "results.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "name", "context", "metric", "mean", "low", "high"])
        for name, contexts in result.metrics.items():
            kind = "agent" if name in result.agents else "reference"
            for context, metrics in contexts.items():
                for metric in (*METRICS, "oracle_gap_closed"):
                    writer.writerow([kind, name, context, metric, *metrics[metric].values()])
    return [folder / "results.json", folder / "results.csv", *write_figures(result, folder)]
