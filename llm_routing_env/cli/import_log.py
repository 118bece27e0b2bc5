"""`pickllm import-log`: logs of choices that somebody else's router made."""

import json
from pathlib import Path
from typing import Annotated

import typer

from llm_routing_env.cli import import_options, options
from llm_routing_env.importing import Reading, Source
from llm_routing_env.importing.preset import FLAGS
from llm_routing_env.importing.scores import AS_IT_IS
from llm_routing_env.terminal import Terminal


def import_log(
    ctx: typer.Context,
    src: import_options.Src,
    out: Annotated[Path, typer.Argument(help="The log to write, a parquet file.")],
    query_column: import_options.QueryColumn = None,
    llm_column: import_options.LlmColumn = None,
    accuracy_column: import_options.AccuracyColumn = None,
    cost_column: import_options.CostColumn = None,
    latency_column: import_options.LatencyColumn = None,
    context_column: import_options.ContextColumn = None,
    error_column: import_options.ErrorColumn = None,
    propensity_column: Annotated[
        str | None, typer.Option(help="The column with the probability of each choice.")
    ] = None,
    propensity: Annotated[float | None, typer.Option(help="The probability of every choice, instead.")] = None,
    context: import_options.Context = None,
    score_range: import_options.ScoreRange = None,
    latency_unit: import_options.LatencyUnit = None,
    cost_unit: import_options.CostUnit = None,
    agent: Annotated[str, typer.Option(help="Who chose.")] = "logged",
    reward: options.RewardForm = options.FORM,
    weights: options.Weights = options.WEIGHTS,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Make a log of one row per routed query, of which only the chosen LLM's outcome is known.

    Rows are steps of one session, in their order. The reward is computed from accuracy, cost and latency; cost counts
    in units of the mean cost of the dearest LLM. Give the propensities if there are any: without, nothing can be
    weighed.

    Example: pickllm import-log choices.parquet log.parquet --propensity 0.25 --agent uniform
    """
    from llm_routing_env.logs.file import write_log
    from llm_routing_env.logs.imported import import_log

    if out.exists():
        raise ValueError(f"{out} is there already: a log is never written over; give another name.")
    if propensity is not None and propensity_column is not None:
        raise ValueError("--propensity says the probability of every choice: leave it out, or --propensity-column.")
    if propensity is not None and not 0 < propensity <= 1:
        raise ValueError(f"--propensity must be above 0 and at most 1, got {propensity}.")
    if context is not None and context_column is not None:
        raise ValueError("--context says the context of every row: leave it out, or --context-column.")
    given = {role: ctx.params.get(flag[2:].replace("-", "_")) for role, flag in FLAGS.items()}
    units = {"latency_s": latency_unit, "cost_usd": cost_unit}
    told = {"prompt": "-"} | ({} if context is None else {"context": context})  # a log keeps no prompts
    log = import_log(
        Source(src, about=lambda path: told),
        Reading(
            names={role: name for role, name in given.items() if name is not None},
            scale=AS_IT_IS.changed(None, score_range, clip=False),
            units={role: unit for role, unit in units.items() if unit is not None},
        ),
        propensity=propensity_column if propensity is None else propensity,
        agent=agent,
        form=reward,
        weights=options.parse_weights(weights),
    )
    write_log(log, out)
    console = Terminal(stderr=as_json, quiet=quiet, soft_wrap=True, highlight=False, markup=False)
    console.print(f"wrote {out}: {len(log)} choices of {log.n_llms} LLMs, {len(log.query_ids)} queries")
    has_propensities = propensity is not None or propensity_column is not None
    if as_json:
        counts = {"choices": len(log), "llms": log.n_llms, "queries": len(log.query_ids)}
        print(json.dumps({"log": str(out), **counts, "has_propensities": has_propensities}, indent=2))
    if not has_propensities:
        console.print("no propensities: this log cannot be weighed; --propensity or --propensity-column give them")
