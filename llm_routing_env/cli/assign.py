"""`pickllm assign`: a batch of queries, assigned to LLMs at once."""

import csv
import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.markup import escape

from llm_routing_env.agents.hull_router import METHODS
from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cli import options
from llm_routing_env.cli.columns import print_table
from llm_routing_env.evaluation.assigning import COSTS, Assignment, assign, make_batch
from llm_routing_env.evaluation.router import read_router
from llm_routing_env.terminal import Terminal


def assign_queries(
    table: Annotated[str, typer.Argument(help=options.TABLE_HELP)] = options.TABLE,
    router: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A router that predicts accuracies, of pickllm train.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="Or one to fit on the train split: hull_router (default) or llm_bandit.")
    ] = None,
    budget_usd: Annotated[float | None, typer.Option(help="What all queries may cost, in US dollars.")] = None,
    accuracy: Annotated[float | None, typer.Option(help="Or the share of them that is to be right, 0 to 1.")] = None,
    out: Annotated[Path, typer.Option(help="CSV file to write: query_id, llm, accuracy, cost_usd.")] = ...,  # type: ignore[assignment]
    front: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Another one, of all trades: cost_usd, accuracy.")
    ] = None,
    method: Annotated[
        str, typer.Option(help=f"{' or '.join(METHODS)}: exact, or OptLLM's own on some twenty assignments.")
    ] = METHODS[0],
    costs: Annotated[
        str, typer.Option(help=f"{' or '.join(COSTS)}: an LLM's cost, or what the table says of each query.")
    ] = COSTS[0],
    split: options.Split = options.SPLIT,
    scorer: options.Scorer = None,
    param: options.Parameters = None,
    seed: Annotated[int, typer.Option(help="Of the agent.")] = 0,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Assign all queries of a table to LLMs at once: the most right answers for a budget, or the other way round.

    Example: pickllm assign nano --budget-usd 0.05 --out assigned.csv
    """
    for path in (out, front):
        _require_writable(path)
    if front is not None and front.absolute() == out.absolute():
        raise ValueError(f"--out and --front are both {out}: give each a file of its own.")
    if router is not None and (agent is not None or param):
        raise ValueError("--router brings an agent as it learned: leave --agent and --param out.")
    name = "hull_router" if agent is None else agent
    console = Terminal(stderr=as_json, quiet=quiet, highlight=False)
    with console.status("predicting"):
        batch = make_batch(
            name if router is None else read_router(router),
            parameters=options.parse_parameters(param, [name]).get(name),
            costs=costs,
            split=split,
            seed=seed,
            table=table,
            scorer=scorer,
        )
        found = assign(batch, budget_usd=budget_usd, accuracy=accuracy, method=method)
    ids, llms = batch.problem.table.query_ids, batch.problem.task.llm_names
    rows = zip(batch.queries.tolist(), found.llms.tolist(), found.accuracy, found.cost_usd, strict=True)
    _write(
        out,
        ("query_id", "llm", "accuracy", "cost_usd"),
        [(ids[query], llms[llm], f"{right:.6g}", f"{cost:.6g}") for query, llm, right, cost in rows],
    )
    if front is not None:
        points = zip(found.front_usd, found.front_accuracy, strict=True)
        _write(front, ("cost_usd", "accuracy"), [(f"{cost:.6g}", f"{right:.6g}") for cost, right in points])
    document = _document(found, budget_usd, accuracy)
    if as_json:
        print(json.dumps(document, indent=2))
    else:
        _print(console, document)
    for path in filter(None, (out, front)):
        console.print(f"wrote {escape(str(path))}", soft_wrap=True)


def _require_writable(path: Path | None) -> None:
    if path is None:
        return
    if path.exists():
        raise ValueError(f"{path} is there already: give another name.")
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}.")


def _write(path: Path, heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    with replacing(path) as new, new.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heads, *rows])


def _document(found: Assignment, budget_usd: float | None, accuracy: float | None) -> dict[str, Any]:
    names, n_queries = found.batch.problem.task.llm_names, len(found.llms)
    by_llm = {}
    for llm, name in enumerate(names):
        own = found.llms == llm
        right = float(found.accuracy[own].mean()) if own.any() else None
        by_llm[name] = {"queries": int(own.sum()), "accuracy": right, "cost_usd": float(found.cost_usd[own].sum())}
    return {
        "table": found.batch.problem.table.name,
        "queries": n_queries,
        "budget_usd": budget_usd,
        "accuracy_wanted": accuracy,
        "expected": {"accuracy": float(found.accuracy.mean()), "cost_usd": float(found.cost_usd.sum())},
        "recorded": found.recorded,
        "front": {
            "assignments": len(found.front_usd),
            "cost_usd": [float(np.min(found.front_usd)), float(np.max(found.front_usd))],
            "accuracy": [float(np.min(found.front_accuracy)), float(np.max(found.front_accuracy))],
        },
        "llms": by_llm,
    }


def _print(console: Terminal, document: dict[str, Any]) -> None:
    wanted = (
        f"a budget of ${document['budget_usd']:.4g}"
        if document["budget_usd"] is not None
        else f"an accuracy of {document['accuracy_wanted']:.4g}"
    )
    rows = []
    for name, of_llm in document["llms"].items():
        right = "-" if of_llm["accuracy"] is None else f"{of_llm['accuracy']:.3f}"
        rows.append([escape(name), f"{of_llm['queries']:,}", right, f"${of_llm['cost_usd']:.4g}"])
    rows.append([])
    for name in ("expected", "recorded"):
        of_all = document[name]
        rows.append([name, f"{document['queries']:,}", f"{of_all['accuracy']:.3f}", f"${of_all['cost_usd']:.4g}"])
    title = f"{document['queries']:,} queries of {escape(document['table'])}, for {wanted}"
    print_table(console, ("", "queries", "accuracy", "cost"), rows, title=title)
    (least, most), (worst, best) = document["front"]["cost_usd"], document["front"]["accuracy"]
    console.print(
        f"One of {document['front']['assignments']:,} assignments, from ${least:.4g} and an accuracy of {worst:.3f} to "
        f"${most:.4g} and {best:.3f}. Recorded: what the table knows came of it.",
        soft_wrap=True,
    )
