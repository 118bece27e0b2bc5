"""`pickllm load-curve`: measure how load slows the LLMs of a table, for vector environments with latency under load."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape

from llm_routing_env.backends import Budget, make_backend
from llm_routing_env.cli import options
from llm_routing_env.cli.columns import print_table
from llm_routing_env.cli.confirm import confirm
from llm_routing_env.cli.progress import counted
from llm_routing_env.envs.live import pool_name
from llm_routing_env.pools.estimate import Estimate, each_llm
from llm_routing_env.pools.load_curve import check_loads, load_curves
from llm_routing_env.pools.pool import Pool, load_pool
from llm_routing_env.recording import measure_load
from llm_routing_env.recording.under_load import check_measurement
from llm_routing_env.tables.shipped import named_tables
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal


def load_curve(
    table: Annotated[Path, typer.Argument(help="Outcome table (parquet); the curve is added to its metadata.")],
    pool: options.Pool = None,
    concurrency: Annotated[str, typer.Option(help="Requests in flight, from 1, rising.")] = "1,4,16,64",
    requests: Annotated[
        int, typer.Option(help="How many are timed for each LLM and concurrency; several times the highest.")
    ] = 256,
    max_usd: options.MaxUSD = None,
    max_requests: options.MaxRequests = None,
    yes: options.Yes = False,
    seed: Annotated[int, typer.Option(help="Of the draw of queries.")] = 0,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Ask the LLMs of a running pool, one at a time, under more and more load, and keep their latencies.

    Example: pickllm load-curve mine.parquet --concurrency 1,8,32 --requests 128
    """
    if str(table) in named_tables():
        raise ValueError(f"The table {table} is the same for everybody who names it: give the path of a copy.")
    if table.is_dir():  # said before anything is spent
        raise ValueError(f"{table} is a folder, which is not written over: give a table of one file.")
    outcomes, loads = OutcomeTable.read(table), _parse(concurrency)
    specs, budget = load_pool(pool or pool_name(outcomes)), Budget(max_usd, max_requests)
    console = Terminal(stderr=as_json, quiet=quiet)
    backend = make_backend("vllm", specs, max_in_flight=max(loads), budget=budget)
    check_measurement(specs, outcomes, loads, requests, seed)
    confirm(_estimated(specs, outcomes, loads, requests), max_usd=max_usd, max_requests=max_requests, yes=yes)
    with closing(backend), _saying_what_was_spent(budget), counted(console) as progress:
        bar = progress.add_task("measuring", total=None)
        measured = measure_load(
            specs,
            outcomes,
            backend=backend,
            concurrency=loads,
            n_requests=requests,
            seed=seed,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
        outcomes = outcomes.with_metadata({"load_curve": measured})
        outcomes.write(table)
    sha256 = OutcomeTable.read(table).sha256
    if as_json:
        spent = {"requests": budget.n_requests, "spent_usd": budget.spent_usd}
        print(json.dumps({"table": str(table), "sha256": sha256, **spent, "load_curve": measured}, indent=2))
    _print_slowdowns(console, outcomes, loads)
    console.print(_spent(budget), highlight=False)
    console.print(f"wrote {table} (sha256 {sha256[:12]}…)", markup=False, highlight=False, soft_wrap=True)


def _estimated(pool: Pool, outcomes: OutcomeTable, loads: list[int], n_requests: int) -> Estimate:
    """Return what the measurement comes to: before the loads the highest is asked once that does not count.

    The queries are drawn with replacement, each as often as the others on average.
    """
    n_asked = sum(n_requests + load - 1 for load in (loads[-1], *loads))
    times = np.full(outcomes.n_queries, n_asked / outcomes.n_queries)
    return each_llm(pool, outcomes.queries, times, recorded=outcomes)


@contextmanager
def _saying_what_was_spent(budget: Budget) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.add_note(f"Nothing is kept; {_spent(budget)} so far.")
        raise
    except Exception as error:
        if budget.n_requests:
            error.add_note(f"({_spent(budget)} so far.)")
        raise


def _spent(budget: Budget) -> str:
    return f"{budget.n_requests} requests, ${budget.spent_usd:.4f}"


def _parse(concurrency: str) -> list[int]:
    try:
        loads = [int(part) for part in concurrency.split(",")]
    except ValueError:
        raise ValueError(f"--concurrency must be whole numbers separated by commas, got {concurrency!r}.") from None
    check_loads(loads)
    return loads


def _print_slowdowns(console: Terminal, outcomes: OutcomeTable, loads: list[int]) -> None:
    rows = [
        [escape(name), f"{1000 * curve.latency_s[0]:.1f}", *(f"x {factor:.2f}" for factor in curve.factors[1:])]
        for name, curve in zip(outcomes.llm_names, load_curves(outcomes), strict=True)
    ]
    print_table(console, ("LLM", "alone, ms", *(f"{load} in flight" for load in loads[1:])), rows)
