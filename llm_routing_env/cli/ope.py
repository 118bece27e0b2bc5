"""`pickllm ope`: what another policy would have got, by a log."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from llm_routing_env.cli import options
from llm_routing_env.cli.columns import print_table
from llm_routing_env.cli.progress import working
from llm_routing_env.evaluation.intervals import Interval, number, shown
from llm_routing_env.terminal import Terminal

FORMS = {
    "reward": ("reward", ".3f", 1.0),
    "accuracy": ("accuracy", ".3f", 1.0),
    "cost_usd": ("cost, $ per 1,000 queries", ".4g", 1000.0),
    "latency_s": ("latency, s", ".3f", 1.0),
}
Document = dict[str, Any]


def ope(
    log: Annotated[Path, typer.Argument(help="A log of steps, with propensities.")],
    policy: Annotated[
        str,
        typer.Option(
            help="always:LLM; random, cheapest or another agent that learns nothing while it routes (pretrained ones "
            "are fitted on the train split); a saved agent (.npz); or the probability of each LLM by query_id "
            "(.csv, .parquet)."
        ),
    ],
    agent: Annotated[str | None, typer.Option(help="Take the rows of this agent only; default: all rows.")] = None,
    table: Annotated[
        str | None, typer.Option(help="Path of the table that the log is of; default: as the log names it.")
    ] = None,
    observation: Annotated[
        str, typer.Option(help="What the reward model of dm and dr sees of a query, such as embedding32.")
    ] = "context",
    truth: Annotated[bool, typer.Option("--truth", help="Add what the log's table knows of the policy.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Estimate from a log what another policy would have got, and say whether the log can tell.

    Example: pickllm compare --agents random --log-steps --out RUN; pickllm ope RUN/steps.parquet --policy linear_router
    """
    from llm_routing_env.evaluation.off_policy import evaluate_log
    from llm_routing_env.logs import read_log

    console = Terminal(stderr=as_json, highlight=False)
    with working(console, "estimating"):
        rows = read_log(log)
        chosen = rows if agent is None else rows.for_agent(agent)
        document = evaluate_log(chosen, policy, table=table, observation=observation, with_truth=truth)
    if as_json:
        print(json.dumps({"log": str(log), **document}, indent=2))
    else:
        _print(console, document)


def _print(console: Terminal, document: Document) -> None:
    by = ", ".join(document["logged_by"])
    console.print(
        f"{escape(document['policy'])}, by {document['rows']:,} steps of {document['queries']:,} queries"
        + (f", logged by {escape(by)}" if by else ""),
        soft_wrap=True,
    )
    for name, reason in document["not_estimated"].items():
        console.print(f"{name} is not estimated: {reason}", style="dim", soft_wrap=True)
    _print_estimates(console, document)
    support = document["support"]
    console.print(
        f"{support['effective_sample_size']:.0f} effective queries of {support['n_queries']:,}; largest weight "
        f"{support['largest_weight']:.3g}, {support['largest_share']:.1%} of all weight on one query",
        soft_wrap=True,
    )
    added = ", ".join(f"{escape(llm)} {shown(claimed, '.2f')}" for llm, claimed in document["calibration"].items())
    console.print(f"1 / propensity where asked, 1 if propensities are right: {added}", soft_wrap=True)
    console.print(f"model: {document['reward_model']}; dm's interval does not know its errors", style="dim")
    for warning in document["warnings"]:
        console.print(escape(warning), style="yellow", soft_wrap=True)


def _print_estimates(console: Terminal, document: Document) -> None:
    measures, rows = document["estimates"], []
    for estimator in next(iter(measures.values()), {}):
        label = "the log itself" if estimator == "log" else estimator
        rows.append([label, *(_cell(name, found[estimator]) for name, found in measures.items())])
    if document["truth"] is not None:
        cells = ("truth", *(_cell(name, document["truth"][name]) for name in measures))
        rows.append([f"[bold]{cell}[/]" for cell in cells])
    print_table(console, ("", *(FORMS[name][0] for name in measures)), rows)


def _cell(measure: str, value: Interval | float) -> str:
    _, form, factor = FORMS[measure]
    return escape(number(value * factor, form) if isinstance(value, float) else shown(value, form, factor))
