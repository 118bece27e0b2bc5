"""Recording: every query on every LLM of a pool, several times, into an outcome table."""

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

from llm_routing_env.backends.base import LiveBackend, Request
from llm_routing_env.outcomes import Outcome, OutcomeTable
from llm_routing_env.pool import LLMSpec, Pool
from llm_routing_env.queries import Query, QuerySet
from llm_routing_env.recording.journal import Cell, Journal
from llm_routing_env.recording.provenance import describe_hardware, describe_pool, serving_versions, weights_sha256
from llm_routing_env.scoring import Scorer, get_scorer


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
        spent_usd: What the recorded outcomes cost; failed and lost ones are counted at their worst case.
    """

    table: OutcomeTable | None
    journal: Path
    n_recorded: int
    n_total: int
    n_failed: int
    n_lost: int
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
    max_usd: float | None = None,
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
        max_usd: Stop before the declared prices could exceed this, counting what a resumed journal spent.
        scorers: Names of the accuracies to record; the first is the table's own.
        on_progress: Called after each outcome with outcomes recorded, outcomes in total, and US dollars spent.

    Raises:
        ValueError: Bad arguments, or a journal or table in the way; says how to go on.
    """
    out = Path(out)
    journal_path = out.with_name(f"{out.name}.journal.jsonl")
    _check(queries, out, journal_path, repeats, concurrency, max_usd)
    if not scorers:
        raise ValueError("Name at least one scorer: an outcome table needs an accuracy.")
    score = {name: get_scorer(name) for name in scorers}
    cells = [Cell(q.query_id, llm, r) for r, q, llm in product(range(repeats), queries, pool.llm_names)]
    identity = _identity(pool, queries, concurrency)
    with Journal(journal_path, identity, resume=resume) as journal:
        if journal.n_dropped_bytes:
            warnings.warn(f"{journal_path}: dropped a torn last line; its query is asked again.", stacklevel=2)
        run = _Run(pool, queries, journal, backend, max_usd)
        run.fill(cells, retry_errors, concurrency, on_progress or (lambda done, total, spent: None))
        outcomes = {cell: journal.outcomes[cell] for cell in cells if cell in journal.outcomes}
    table = None
    if len(outcomes) == len(cells):
        metadata = identity | _metadata(pool, scorers[0])
        table = OutcomeTable.from_records(queries, pool.llm_names, _records(outcomes, queries, score), metadata)
        table.write(out)
    n_failed = sum(outcome.error is not None for outcome in outcomes.values())
    n_lost = journal.unanswered.total()
    return Recording(table, journal_path, len(outcomes), len(cells), n_failed, n_lost, run.spent_usd)


def _check(queries: QuerySet, out: Path, journal: Path, repeats: int, concurrency: int, max_usd: float | None) -> None:
    if not queries:
        raise ValueError("There are no queries to record.")
    for name, value in (("repeats", repeats), ("concurrency", concurrency)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}.")
    if max_usd is not None and not max_usd >= 0:
        raise ValueError(f"max_usd must be 0 or more, got {max_usd}.")
    if not out.parent.is_dir():
        raise ValueError(f"{out}: there is no folder {out.parent.resolve()}.")
    if out.exists() and not journal.exists():
        raise ValueError(f"{out} exists: delete it, or record into another file.")


class _Run:
    """Fills a journal, within a budget."""

    def __init__(
        self, pool: Pool, queries: QuerySet, journal: Journal, backend: LiveBackend, max_usd: float | None
    ) -> None:
        self._journal, self._backend, self._max_usd = journal, backend, max_usd
        self._queries = {query.query_id: query for query in queries}
        self._llms = {llm.name: (index, llm) for index, llm in enumerate(pool.llms)}
        self._deadline_s = pool.deadline_s
        self._reserved_usd = 0.0  # of requests in flight
        self.spent_usd = sum(self._charge(*answered) for answered in [*journal.outcomes.items(), *journal.replaced])
        self.spent_usd += sum(self._worst_usd(cell) * times for cell, times in journal.unanswered.items())

    def fill(
        self,
        cells: Sequence[Cell],
        retry_errors: bool,
        concurrency: int,
        on_progress: Callable[[int, int, float], None],
    ) -> None:
        """Record the cells that are not in the journal yet, or until the budget is used up."""
        old = self._journal.outcomes
        missing = deque(c for c in cells if c not in old or (retry_errors and old[c].error is not None))
        done = len(cells) - len(missing)
        self._warm_up(missing)
        while missing:
            taken: list[Cell] = []
            with closing(self._backend.ask_many(self._affordable(missing, taken), concurrency=concurrency)) as answers:
                for number, outcome in answers:
                    self._journal.append(taken[number], outcome)
                    self._reserved_usd -= self._worst_usd(taken[number])
                    self.spent_usd += self._charge(taken[number], outcome)
                    done += 1
                    on_progress(done, len(cells), self.spent_usd)
            if not taken:
                return

    def _warm_up(self, cells: deque[Cell]) -> None:
        """Ask each LLM served here once, unrecorded: a server's first answer takes several times as long."""
        first = {cell.llm: cell for cell in reversed(cells)}
        for name, cell in first.items():
            if not self._llms[name][1].base_url and self._reserve(cell):
                self.spent_usd += self._charge(cell, self._backend.ask(*self._request(cell)))
                self._reserved_usd -= self._worst_usd(cell)

    def _affordable(self, missing: deque[Cell], taken: list[Cell]) -> Iterator[Request]:
        """Move cells from `missing` to `taken` while the budget allows for the worst case of all in flight."""
        while missing and self._reserve(missing[0]):
            taken.append(missing.popleft())
            self._journal.announce(taken[-1])
            yield self._request(taken[-1])

    def _request(self, cell: Cell) -> Request:
        return Request(self._queries[cell.query_id], self._llms[cell.llm][0], cell.repeat)

    def _reserve(self, cell: Cell) -> bool:
        worst_usd = self._worst_usd(cell)
        if self._max_usd is not None and self.spent_usd + self._reserved_usd + worst_usd > self._max_usd:
            return False
        self._reserved_usd += worst_usd
        return True

    def _charge(self, cell: Cell, outcome: Outcome) -> float:
        # A failed request may have been answered, and charged for, all the same.
        return outcome.cost_usd if outcome.error is None else self._worst_usd(cell)

    def _worst_usd(self, cell: Cell) -> float:
        llm: LLMSpec = self._llms[cell.llm][1]
        return llm.worst_usd(self._queries[cell.query_id].prompt, self._deadline_s)


def _identity(pool: Pool, queries: QuerySet, concurrency: int) -> dict[str, Any]:
    """Return what must not change within one recording."""
    return {
        "queries_sha256": queries.sha256,
        "pool": describe_pool(pool),
        "weights_sha256": weights_sha256(pool),
        "versions": serving_versions(),
        "concurrency": concurrency,
    }


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
        del record["accuracy"]
        if not has_ttft:
            del record["ttft_s"]
        for name, accuracy in accuracies.items():
            record[f"accuracy_{name}"] = 0.0 if outcome.error is not None else float(accuracy[row])
        yield record
