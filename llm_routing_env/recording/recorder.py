"""Recording: every query on every LLM of a pool, several times, into an outcome table."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from llm_routing_env.backends.base import LiveBackend, Request
from llm_routing_env.backends.budget import Budget, RefusedOutcome
from llm_routing_env.pools.pool import Pool
from llm_routing_env.recording.journal import Cell, Journal
from llm_routing_env.recording.journalled import JournalledBackend, charge_journal, warn_if_torn
from llm_routing_env.recording.provenance import describe_hardware, recording_identity
from llm_routing_env.rewards.scorers import Scorer, get_scorer
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable


@dataclass(frozen=True, slots=True)
class Recording:
    """How a recording ended.

    Attributes:
        table: The outcome table, also written to the file asked for; None if the budget stopped the recording.
        journal: The file that holds every outcome recorded so far.
        n_recorded: Outcomes in the journal.
        n_total: Outcomes of the full table.
        n_failed: Recorded outcomes with an error.
        n_lost: Requests whose outcome never reached the journal: in flight when the recording was stopped before.
            They are asked again, so they may be paid for twice.
        n_requests: Requests sent, those of an earlier run and retries included; lost ones are counted as often as
            they may have been sent.
        spent_usd: What they cost; failed and lost ones are counted at their worst case.
    """

    table: OutcomeTable | None
    journal: Path
    n_recorded: int
    n_total: int
    n_failed: int
    n_lost: int
    n_requests: int
    spent_usd: float


def record(
    pool: Pool,
    queries: QuerySet,
    out: str | Path,
    *,
    backend: LiveBackend,
    repeats: int = 3,
    concurrency: int = 1,
    resume: bool = False,
    retry_errors: bool = False,
    budget: Budget | None = None,
    scorers: Sequence[str] = ("final_answer", "token_f1"),
    on_progress: Callable[[int, int, float], None] | None = None,
) -> Recording:
    """Ask every LLM every query and write the outcome table.

    Every outcome goes to `<out>.journal.jsonl` first, so that whatever stops a recording, nothing that was paid for
    is lost. Repeats are the outer loop: those of one query are spread over the time that the recording takes.
    LLMs without a `base_url` are asked one query first that is not recorded, since their first answer is slow.

    Args:
        pool: The LLMs; prices and flags go into the table's metadata.
        queries: What to ask.
        out: The parquet file to write.
        backend: Answers the queries; the caller closes it.
        repeats: How often each query is asked of each LLM.
        concurrency: Requests in flight, within the backend's `max_in_flight`. Latency is recorded under this load; 1
            measures each LLM by itself.
        resume: Go on with a journal that is there; without one, begin.
        retry_errors: With `resume`, ask those again whose recorded outcome is an error.
        budget: Stop before it could be exceeded, counting what a resumed journal spent; the backend's too, if it
            sends requests again. None: no bound.
        scorers: Names of the accuracies to record; the first is the table's own.
        on_progress: Called after each outcome with outcomes recorded, outcomes in total, and US dollars spent.

    Raises:
        ValueError: Bad arguments, or a journal or table in the way; says how to go on.
    """
    out = Path(out)
    journal_path = out.with_name(f"{out.name}.journal.jsonl")
    _check(queries, out, journal_path, repeats, concurrency)
    if not scorers:
        raise ValueError("Name at least one scorer: an outcome table needs an accuracy.")
    score = {name: get_scorer(name) for name in scorers}
    cells = [Cell(q.query_id, llm, r) for r, q, llm in product(range(repeats), queries, pool.llm_names)]
    identity = recording_identity(pool, queries.sha256, concurrency)
    budget = budget or Budget()
    with Journal(journal_path, identity, resume=resume) as journal:
        warn_if_torn(journal, stacklevel=2)
        charge_journal(budget, journal, pool, queries)
        kept = JournalledBackend(backend, pool, budget, journal, retry_errors=retry_errors)
        _warm_up(
            [cell for cell in cells if kept.must_ask(cell)], pool, queries, JournalledBackend(backend, pool, budget)
        )
        _fill(cells, pool, queries, kept, concurrency, on_progress or (lambda done, total, spent: None))
        outcomes = {cell: journal.outcomes[cell] for cell in cells if cell in journal.outcomes}
    table = None
    if len(outcomes) == len(cells):
        metadata = identity | _metadata(pool, scorers[0])
        table = OutcomeTable.from_records(queries, pool.llm_names, _records(outcomes, queries, score), metadata)
        table.write(out)
    n_failed = sum(outcome.error is not None for outcome in outcomes.values())
    n_lost = journal.unanswered.total()
    counts = (len(outcomes), len(cells), n_failed, n_lost, budget.n_requests, budget.spent_usd)
    return Recording(table, journal_path, *counts)


def _check(queries: QuerySet, out: Path, journal: Path, repeats: int, concurrency: int) -> None:
    if not queries:
        raise ValueError("There are no queries to record.")
    for name, value in (("repeats", repeats), ("concurrency", concurrency)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}.")
    if not out.parent.is_dir():
        raise ValueError(f"{out}: there is no folder {out.parent.resolve()}.")
    if out.exists() and not journal.exists():
        raise ValueError(f"{out} exists: delete it, or record into another file.")


def _warm_up(missing: Sequence[Cell], pool: Pool, queries: QuerySet, backend: JournalledBackend) -> None:
    """Ask each LLM served here once, unrecorded: a server's first answer takes several times as long."""
    first = {cell.llm: cell for cell in reversed(missing)}
    served_here = [cell for name, cell in first.items() if not pool.llms[pool.llm_names.index(name)].base_url]
    for request in _requests(served_here, pool, queries):
        backend.ask(*request)


def _fill(
    cells: Sequence[Cell],
    pool: Pool,
    queries: QuerySet,
    backend: JournalledBackend,
    concurrency: int,
    on_progress: Callable[[int, int, float], None],
) -> None:
    """Ask for every cell, in this order, which the backend's journal fits; until the budget is used up."""
    with closing(backend.ask_many(_requests(cells, pool, queries), concurrency=concurrency)) as answers:
        for done, (_, outcome) in enumerate(answers, start=1):
            if isinstance(outcome, RefusedOutcome):
                return
            on_progress(done, len(cells), backend.budget.spent_usd)


def _requests(cells: Iterable[Cell], pool: Pool, queries: QuerySet) -> Iterator[Request]:
    by_id = {query.query_id: query for query in queries}
    index = {name: number for number, name in enumerate(pool.llm_names)}
    return (Request(by_id[cell.query_id], index[cell.llm], cell.repeat) for cell in cells)


def _metadata(pool: Pool, scorer: str) -> dict[str, Any]:
    prices = ("input_price_usd_per_mtok", "output_price_usd_per_mtok", "hardware_usd_per_hour")
    return {
        "prices": {llm.name: {key: getattr(llm, key) for key in prices} for llm in pool.llms},
        "hardware": describe_hardware(),
        "scorer": scorer,
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _records(
    outcomes: Mapping[Cell, Outcome], queries: QuerySet, scorers: Mapping[str, Scorer]
) -> Iterator[dict[str, Any]]:
    by_id: dict[str, Query] = {query.query_id: query for query in queries}
    responses = [outcome.response for outcome in outcomes.values()]
    references = [by_id[cell.query_id].references for cell in outcomes]
    accuracies = {name: scorer(responses, references) for name, scorer in scorers.items()}
    has_ttft = any(outcome.ttft_s is not None for outcome in outcomes.values())
    for row, (cell, outcome) in enumerate(outcomes.items()):
        record = asdict(cell) | asdict(outcome)
        del record["accuracy"], record["n_attempts"]
        if not has_ttft:
            del record["ttft_s"]
        for name, accuracy in accuracies.items():
            record[f"accuracy_{name}"] = 0.0 if outcome.error is not None else float(accuracy[row])
        yield record
