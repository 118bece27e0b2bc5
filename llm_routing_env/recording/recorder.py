"""Recording: every query on every LLM of a pool, several times, into an outcome table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llm_routing_env.backends import make_backend
from llm_routing_env.backends.budget import Budget
from llm_routing_env.backends.journal import Journal
from llm_routing_env.pools.load_curve import MOST_IN_FLIGHT
from llm_routing_env.pools.pool import Pool
from llm_routing_env.pools.provenance import circumstances
from llm_routing_env.recording.plan import Plan, Progress, Recording
from llm_routing_env.recording.table_writer import write_table
from llm_routing_env.rewards.scorers import Scorer, get_scorer
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

JOURNAL_SUFFIX = ".journal.sqlite"


def record(
    pool: Pool,
    queries: QuerySet,
    out: str | Path,
    *,
    backend: str = "vllm",
    repeats: int = 3,
    concurrency: int = 1,
    stream: bool = False,
    resume: bool = False,
    retry_errors: bool = False,
    allow_errors: bool = False,
    budget: Budget | None = None,
    scorers: Sequence[str] = ("final_answer", "token_f1"),
    on_progress: Progress | None = None,
) -> Recording:
    """Ask every LLM every query and write the outcome table.

    Every outcome goes to `<out>.journal.sqlite` first, so that whatever stops a recording, nothing that was paid for
    is lost. Repeats are the outer loop: those of one query are spread over the time that the recording takes. An LLM
    that is down or busy is waited for; one that stays down ends the recording. LLMs without a `base_url` are asked one
    query first that is not recorded, since their first answer is slow.

    Args:
        pool: The LLMs; prices and flags go into the table's metadata.
        queries: What to ask.
        out: The parquet file to write; a folder of them where one cannot hold the rows.
        backend: "vllm" or "vllm-inprocess".
        repeats: How often each query is asked of each LLM.
        concurrency: Requests in flight. Latency is recorded under this load; 1 measures each LLM by itself.
        stream: Whether responses are streamed, which measures the time to the first token.
        resume: Go on with a journal that is there; without one, begin. Where its runs had other requests in flight,
            the table says so, and has the most of them as its concurrency.
        retry_errors: With `resume`, ask those again whose recorded outcome is an error.
        allow_errors: Write the table although outcomes failed: they have accuracy 0 there.
        budget: Stop before it could be exceeded, counting what a resumed journal spent. None: no bound.
        scorers: Names of the accuracies to record; the first is the table's own.
        on_progress: Called after each outcome with outcomes recorded, outcomes in total, and US dollars spent.

    Raises:
        ValueError: Bad arguments, or a journal or table in the way; says how to go on.
        ServingError: The pool is not being served.
        OSError: The journal or the table cannot be written.
    """
    out = Path(out)
    path = out.with_name(f"{out.name}{JOURNAL_SUFFIX}")
    score = _checked_scorers(scorers)
    _check(queries, out, path, repeats, concurrency)
    make_backend(backend, pool, max_in_flight=concurrency, stream=stream).close()  # what is amiss leaves no journal
    with _saying_what_is_kept(path) as plans, Journal(path, resume=resume) as journal:
        asker = make_backend(
            backend,
            pool,
            max_in_flight=concurrency,
            stream=stream,
            budget=budget,
            journal=journal,
            is_patient=True,
            retry_errors=retry_errors,
        )
        with closing(asker):
            plans.append(plan := Plan(asker, queries, repeats, retry_errors=retry_errors))
            # A server's first answer takes several times as long: those served here are asked once beforehand.
            asker.warm_up(queries[0], [n for n in plan.llms_to_ask() if not pool.llms[n].base_url])
            stopped = plan.fill(on_progress or (lambda done, total, spent: None), concurrency)
            table, failed = None, plan.failed()
            if plan.is_done.all() and (allow_errors or not failed):
                metadata = _metadata(pool, queries, plan.loads or [concurrency], scorers[0])
                write_table(out, journal, queries, pool.llms, plan.digests, repeats, score, metadata)
                table = OutcomeTable.read(out)
            return plan.recording(table, failed, stopped, journal.spent())


def _checked_scorers(names: Sequence[str]) -> dict[str, Scorer]:
    if not names:
        raise ValueError("Name at least one scorer: an outcome table needs an accuracy.")
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise ValueError(f"The scorer {repeated[0]!r} is named twice.")
    return {name: get_scorer(name) for name in names}


def check_counts(**counts: int) -> None:
    """Raise ValueError unless numbers of repeats and of requests in flight are from 1 to `MOST_IN_FLIGHT`."""
    for name, value in counts.items():
        if not 1 <= value <= MOST_IN_FLIGHT:
            raise ValueError(f"{name} must be 1 to {MOST_IN_FLIGHT}, got {value}.")


def _check(queries: QuerySet, out: Path, journal: Path, repeats: int, concurrency: int) -> None:
    if not queries:
        raise ValueError("There are no queries to record.")
    check_counts(repeats=repeats, concurrency=concurrency)
    if not out.parent.is_dir():
        raise ValueError(f"{out}: there is no folder {out.parent.resolve()}.")
    if out.is_dir() or (out.exists() and not journal.exists()):
        raise ValueError(f"{out} exists: move it away, or record into another file.")


@contextmanager
def _saying_what_is_kept(journal: Path) -> Iterator[list[Plan]]:
    """Add to an interrupt where outcomes are kept, and how to go on; yield what takes the plan once there is one."""
    plans: list[Plan] = []
    try:
        yield plans
    except KeyboardInterrupt as stop:
        counts = [f"{plan.is_done.sum()} of {plan.is_done.size} outcomes are" for plan in plans]
        kept = f"{counts[0] if counts else 'What was recorded is'} kept in {journal}"
        stop.add_note(f"{kept}: the same command with --resume (resume=True) goes on.")
        raise


def load_notes(loads: Sequence[int]) -> dict[str, list[str]]:
    """Return what a table says of outcomes that were recorded under several loads; nothing of those under one."""
    if len(loads) < 2:
        return {}
    counts = f"{', '.join(map(str, loads[:-1]))} and {loads[-1]}"
    return {"notes": [f"Recorded in runs with {counts} requests in flight: latencies are under different loads."]}


def _metadata(pool: Pool, queries: QuerySet, loads: Sequence[int], scorer: str) -> dict[str, Any]:
    return {
        **circumstances(pool, loads[-1]),
        **load_notes(loads),
        "queries_sha256": queries.sha256,
        "scorer": scorer,
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
