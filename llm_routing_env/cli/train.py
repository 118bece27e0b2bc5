"""`pickllm train`: an agent learns, and what it learned is one file."""

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_routing_env.cli import options
from llm_routing_env.cli.progress import counted
from llm_routing_env.evaluation.router import SUFFIX, read_router, write_router
from llm_routing_env.evaluation.train import Trained
from llm_routing_env.evaluation.train import train as train_agent
from llm_routing_env.terminal import Terminal


def train(
    ctx: typer.Context,
    agent: Annotated[str | None, typer.Argument(help="Registered agent, see `pickllm agents`.")] = None,
    out: Annotated[Path, typer.Option(help="File to write, ending in .npz.")] = ...,  # type: ignore[assignment]
    resume: Annotated[
        Path | None, typer.Option(metavar="ROUTER", help="Go on from this file instead of starting AGENT anew.")
    ] = None,
    table: options.Table = options.TABLE,
    reward: options.RewardForm = options.FORM,
    weights: options.Weights = options.WEIGHTS,
    scorer: options.Scorer = None,
    param: options.Parameters = None,
    seed: Annotated[int, typer.Option(help="Of the agent and of the order of the queries.")] = 0,
    lifetime_queries: Annotated[
        int | None, typer.Option(help="Queries that it routes now; default: up to the end of the train split.")
    ] = None,
    from_log: Annotated[
        str | None, typer.Option(metavar="LOG", help="A log that it learns from instead, with propensities.")
    ] = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Let an agent live through the train split, and keep what it learned in one file for compare, demo and ope.

    Example: pickllm train outcome_linear --out router.npz; pickllm compare --agents router.npz,router.npz@lifelong
    """
    name = _named(ctx, agent, resume)
    _require_writable(out, resume)
    router = None if resume is None else read_router(resume)
    console = Terminal(stderr=as_json, quiet=quiet)
    with counted(console) as progress:
        bar = progress.add_task(name if router is None else router.learned.agent, total=None)
        trained = train_agent(
            name if router is None else router,
            seed=seed,
            parameters=options.parse_parameters(param, [name]).get(name),
            n_queries=lifetime_queries,
            log=from_log,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
            table=table,
            reward=reward,
            weights=options.parse_weights(weights),
            scorer=scorer,
        )
    write_router(out, trained.agent, trained.learned)
    if as_json:
        print(json.dumps(_document(out, trained), indent=2))
        return
    learned = trained.learned
    earned = "" if trained.mean_reward is None else f", mean reward {trained.mean_reward:.3f}"
    before = learned.queries - trained.n_queries
    console.print(
        f"{learned.agent} learned from {trained.n_queries:,} queries of {learned.table['name']}{earned}"
        + (f"; {before:,} before" if before else ""),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


def _named(ctx: typer.Context, agent: str | None, resume: Path | None) -> str:
    """Return the name of the agent; "" where the file says it."""
    if resume is None:
        if agent is None:
            raise ValueError("Name an agent, as in `pickllm train outcome_linear`, or give --resume ROUTER.")
        return agent
    for name, said in (("AGENT", "agent"), ("--param", "param"), ("--seed", "seed")):
        if options.is_given(ctx, said):
            raise ValueError(f"--resume goes on with what {resume} says: leave {name} out.")
    return ""


def _require_writable(out: Path, resume: Path | None) -> None:
    if out.suffix != SUFFIX:
        raise ValueError(f"--out must end in {SUFFIX}, by which compare knows a router, got {str(out)!r}.")
    if out.exists() and (resume is None or not out.samefile(resume)):
        raise ValueError(f"{out} is there already: give another --out, or go on with --resume {out}.")
    if not out.parent.is_dir():
        raise ValueError(f"--out {out}: there is no folder {out.parent}.")


def _document(out: Path, trained: Trained) -> dict[str, Any]:
    learned = trained.learned
    # Where costs are not known, and not weighed, no cost counts as 1.
    unknown = [name for name, value in learned.reward.items() if isinstance(value, float) and math.isnan(value)]
    reward = learned.reward | dict.fromkeys(unknown)
    return {
        "router": str(out),
        "agent": learned.agent,
        "parameters": {name: getattr(trained.agent, name) for name in trained.agent.hyperparameters()},
        "observation": trained.agent.observation,
        "llms": list(trained.agent.task.llm_names),
        "table": learned.table,
        "reward": reward,
        "scorer": learned.scorer,
        "seed": learned.seed,
        "queries_now": trained.n_queries,
        "queries": learned.queries,
        "mean_reward": trained.mean_reward,
        "version": learned.version,
    }
