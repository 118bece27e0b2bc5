"""`pickllm record`: make an outcome table."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.backends import BACKENDS
from llm_routing_env.backends.budget import Budget
from llm_routing_env.cli import options
from llm_routing_env.cli.confirm import confirm
from llm_routing_env.cli.progress import counted
from llm_routing_env.evaluation.engines import ENGINES
from llm_routing_env.pools.estimate import each_llm
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.recording import Recording, record_sharded
from llm_routing_env.recording import record as record_here
from llm_routing_env.rewards.unread import not_read
from llm_routing_env.stopping import IncompleteError
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.terminal import Terminal


def record(
    pool: Annotated[str, typer.Argument(help="Shipped pool's name, or a pool's TOML file.")],
    queries: Annotated[Path, typer.Argument(help="JSON lines: query_id, context, split, prompt, references.")],
    out: Annotated[Path, typer.Argument(help="Outcome table to write (parquet).")],
    backend: Annotated[
        str, options.choice(BACKENDS[1:], "Running servers, as of `pickllm serve`, or vLLM in this process.")
    ] = "vllm",
    repeats: Annotated[int, typer.Option(help="How often each query is asked of each LLM.")] = 3,
    concurrency: Annotated[int, typer.Option(help="Requests in flight; latency is recorded under this load.")] = 1,
    stream: Annotated[
        bool, typer.Option("--stream", help="Stream responses; records the time to first token.")
    ] = False,
    scorers: Annotated[str, typer.Option(help="Scores to record, the table's own first.")] = "final_answer,token_f1",
    max_usd: options.MaxUSD = None,
    max_requests: options.MaxRequests = None,
    yes: options.Yes = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the journal of an interrupted run.")] = False,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="With --resume: ask, and pay for, failed ones again.")
    ] = False,
    allow_errors: Annotated[
        bool, typer.Option("--allow-errors", help="Write the table although outcomes failed: accuracy 0 for them.")
    ] = False,
    engine: options.Engine = "local",
    address: options.Address = None,
    shards: Annotated[int | None, typer.Option(help="Of the ray engine; default: one per CPU of the cluster.")] = None,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Ask every LLM of a pool every query and write the outcome table; every outcome is journalled at once.

    Example: pickllm serve nano, and elsewhere: pickllm record nano queries.jsonl mine.parquet --max-usd 1
    """
    if retry_errors and not resume:
        raise ValueError("--retry-errors asks those again that a journal has: give --resume too.")
    asked, specs = QuerySet.read(queries), load_pool(pool)
    run = _recorder(engine, address, shards, {"max_usd": max_usd, "max_requests": max_requests})
    errors = ", but for its errors, which are asked again and paid for again" if retry_errors else ""
    kept = f"What the journal has is not asked again{errors}." if resume else ""
    confirm(each_llm(specs, asked, repeats), max_usd=max_usd, max_requests=max_requests, yes=yes, more=kept)
    console = Terminal(stderr=as_json, quiet=quiet)
    with counted(console) as progress:
        bar = progress.add_task("recording", total=None)

        def show(done: int, total: int, spent_usd: float) -> None:
            progress.update(bar, completed=done, total=total, description=f"recording, ${spent_usd:.4f}")

        result = run(
            specs,
            asked,
            out,
            backend=backend,
            repeats=repeats,
            concurrency=concurrency,
            stream=stream,
            scorers=scorers.split(","),
            resume=resume,
            retry_errors=retry_errors,
            allow_errors=allow_errors,
            on_progress=show,
        )
    if as_json:
        print(json.dumps(_document(result, out), indent=2))
    _print_counts(console, result)
    if result.table is None:
        raise IncompleteError(_why_not(result))
    sha256 = f"{result.table.sha256[:12]}…"
    console.print(f"wrote {out} (sha256 {sha256}); next: pickllm embed {out}", markup=False, highlight=False)
    for note in filter(None, (*result.table.notes, not_read(result.table, result.table.scorer))):
        console.print(note, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _print_counts(console: Terminal, result: Recording) -> None:
    counts = f"{result.n_recorded} of {result.n_total} outcomes, {result.n_failed} failed"
    if result.n_lost:
        counts += f", {result.n_lost} requests asked again: they were in flight when it was stopped"
    console.print(f"{counts}, {result.n_requests} requests, ${result.spent_usd:.4f}", highlight=False, soft_wrap=True)
    for line in result.warnings:
        console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _document(result: Recording, out: Path) -> dict[str, Any]:
    table = result.table
    return {
        "table": None if table is None else str(out),
        "sha256": None if table is None else table.sha256,
        "notes": [] if table is None else [*table.notes],
        "journal": str(result.journal),
        "outcomes": result.n_recorded,
        "outcomes_wanted": result.n_total,
        "failed": {llm: {"n": n, "first_error": error} for llm, (n, error) in result.failed.items()},
        "requests": result.n_requests,
        "requests_lost": result.n_lost,
        "spent_usd": result.spent_usd,
        "warnings": [*result.warnings],
        "stopped": result.stopped,
    }


def _why_not(result: Recording) -> str:
    """Return why there is no table, and how to go on."""
    kept = f"Kept in {result.journal}"
    if result.stopped:
        again = "; --retry-errors asks failed ones again, and pays for them again" if result.n_failed else ""
        mended = f"once that is mended{again}"
        how = "and a higher --max-usd or --max-requests" if result.is_out_of_budget else mended
        return f"Stopped: {result.stopped}. {kept}; go on with --resume {how}."
    if result.n_recorded < result.n_total:
        return f"{result.n_total - result.n_recorded} outcomes are missing. {kept}; go on with --resume."
    llms = "; ".join(f"{n} of {llm!r}, the first with: {error}" for llm, (n, error) in result.failed.items())
    return (
        f"{result.n_failed} outcomes failed: {llms}. {kept}: --resume --retry-errors asks them again, and pays "
        "for them again, --resume --allow-errors writes the table with accuracy 0 for them."
    )


def _recorder(engine: str, address: str | None, shards: int | None, bounds: dict[str, Any]) -> Callable[..., Recording]:
    """Return what records: in this process, or on a Ray cluster."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == "ray":
        return partial(record_sharded, address=address, shards=shards, **bounds)
    if address is not None or shards is not None:
        raise ValueError("--address and --shards are for the ray engine: give --engine ray too.")
    return partial(record_here, budget=Budget(**bounds))
