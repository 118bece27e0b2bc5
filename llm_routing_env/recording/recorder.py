"""Recording: every query on every LLM of a pool, several times, into an outcome table."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends import Request, ask, make_backend
from llm_routing_env.backends.asked_llm import DownOutcome
from llm_routing_env.backends.asker import Asker
from llm_routing_env.backends.budget import Budget, RefusedOutcome
from llm_routing_env.backends.journal import Journal, Spent
from llm_routing_env.pools.pool import Pool
from llm_routing_env.pools.provenance import circumstances
from llm_routing_env.recording.table_writer import write_table
from llm_routing_env.rewards.scorers import Scorer, get_scorer
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

JOURNAL_SUFFIX = ".journal.sqlite"
_Progress = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True)
class Recording:
    """How a recording ended.

    Attributes:
        table: The outcome table, also written to the file asked for; None if the recording is not complete.
        journal: The file that holds every outcome recorded so far.
        n_recorded: Outcomes in the journal.
        n_total: Outcomes of the full table.
        failed: For each LLM with recorded outcomes that are errors, how many, and the first one.
        stopped: Why it stopped before it was complete; "" if nothing stopped it.
        warnings: What else was seen, such as an endpoint that charges more than it may.
        n_lost: Requests whose outcome never reached the journal: in flight when the recording was stopped before.
            They are asked again, so they may be paid for twice.
        n_requests: Requests sent, those of an earlier run and retries included.
        spent_usd: What they cost; lost ones, and failed ones that may be billed, are counted at their worst case.
    """

    table: OutcomeTable | None
    journal: Path
    n_recorded: int
    n_total: int
    failed: Mapping[str, tuple[int, str]]
    stopped: str
    warnings: tuple[str, ...]
    n_lost: int
    n_requests: int
    spent_usd: float

    @property
    def n_failed(self) -> int:
        """How many recorded outcomes are errors."""
        return sum(n for n, _ in self.failed.values())


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
    on_progress: _Progress | None = None,
) -> Recording:
    """Ask every LLM every query and write the outcome table.

    Every outcome goes to `<out>.journal.sqlite` first, so that whatever stops a recording, nothing that was paid for
    is lost. Repeats are the outer loop: those of one query are spread over the time that the recording takes. An LLM
    that is down or busy is waited for; one that stays down ends the recording. LLMs without a `base_url` are asked one
    query first that is not recorded, since their first answer is slow.

    Args:
        pool: The LLMs; prices and flags go into the table's metadata.
        queries: What to ask.
        out: The parquet file to write.
        backend: "vllm" or "vllm-inprocess".
        repeats: How often each query is asked of each LLM.
        concurrency: Requests in flight. Latency is recorded under this load; 1 measures each LLM by itself.
        stream: Whether responses are streamed, which measures the time to the first token.
        resume: Go on with a journal that is there; without one, begin.
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
    with Journal(path, resume=resume) as journal:
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
            plan = _Plan(asker, queries, repeats, retry_errors=retry_errors)
            try:
                if not plan.is_done.all():
                    _warm_up(pool, queries, backend, asker.budget)
                stopped = plan.fill(on_progress or (lambda done, total, spent: None), concurrency)
            except KeyboardInterrupt as stop:
                kept = f"{plan.is_done.sum()} of {plan.is_done.size} outcomes are kept in {path}"
                stop.add_note(f"{kept}: the same command with --resume (resume=True) goes on.")
                raise
            table, failed = None, plan.failed()
            if plan.is_done.all() and (allow_errors or not failed):
                metadata = _metadata(pool, queries, concurrency, scorers[0])
                write_table(out, journal, queries, pool.llm_names, plan.digests, repeats, score, metadata)
                table = OutcomeTable.read(out)
            return plan.recording(table, failed, stopped, journal.spent())


class _Plan:
    """What is to be recorded, and what of it is.

    Attributes:
        digests: What the journal calls each query to each LLM.
        is_done: Of shape (repeats, queries, LLMs): the journal has the outcome.
    """

    def __init__(self, asker: Asker, queries: QuerySet, repeats: int, *, retry_errors: bool) -> None:
        self._asker, self._queries = asker, queries
        assert asker.journal is not None
        self._journal = asker.journal
        llms = range(len(asker.llm_names))
        self.digests = [[asker.digest(query, llm) for llm in llms] for query in queries]
        places: dict[bytes, list[tuple[int, int]]] = {}  # queries with the same prompt share their outcomes
        for q, row in enumerate(self.digests):
            for llm, digest in enumerate(row):
                places.setdefault(digest, []).append((q, llm))
        self.is_done: NDArray[np.bool_] = np.zeros((repeats, len(queries), len(llms)), dtype=bool)
        self._is_failed = np.zeros_like(self.is_done)

        def note(digest: bytes, repeat: int, failed: bool) -> None:
            for q, llm in places.get(digest, ()) if repeat < repeats else ():
                self.is_done[repeat, q, llm] = not (failed and retry_errors)
                self._is_failed[repeat, q, llm] = failed

        self._journal.each(note)

    def fill(self, on_progress: _Progress, concurrency: int) -> str:
        """Ask for everything that is not done; return why it stopped, "" if it did not."""
        stopped: dict[str, str] = {}
        asked = array("q")  # the place of each request in `is_done`: there may be millions

        def requests(llm: int) -> Iterator[Request]:
            for place in np.flatnonzero(~self.is_done[:, :, llm]):
                if stopped:
                    return
                repeat, query = divmod(int(place), len(self._queries))
                asked.append(int(place) * len(self._asker.llm_names) + llm)
                yield Request(self._queries[query], llm, repeat)

        streams = [requests(llm) for llm in range(len(self._asker.llm_names))]
        done = int(self.is_done.sum())
        with closing(self._asker.ask_many(*streams, concurrency=concurrency)) as answers:
            for number, outcome in answers:
                if isinstance(outcome, RefusedOutcome | DownOutcome):
                    name = self._asker.llm_names[asked[number] % len(self._asker.llm_names)]
                    said = outcome.error or ""
                    stopped.setdefault(said if isinstance(outcome, RefusedOutcome) else f"{name!r} is down: {said}", "")
                    continue
                self.is_done.flat[asked[number]] = True
                self._is_failed.flat[asked[number]] = outcome.error is not None
                done += 1
                on_progress(done, self.is_done.size, self._asker.budget.spent_usd)
        return "; ".join(stopped)

    def failed(self) -> dict[str, tuple[int, str]]:
        """Return how many outcomes of each LLM are errors, and the first one."""
        found = {}
        for llm, name in enumerate(self._asker.llm_names):
            failed = np.argwhere(self._is_failed[:, :, llm])
            if len(failed):
                repeat, query = failed[0].tolist()
                digest = self.digests[query][llm]
                error = self._journal.outcomes_of([digest])[digest, repeat].error
                found[name] = (len(failed), error or "")
        return found

    def _damaged(self) -> Iterator[str]:
        if n := self._journal.n_damaged:
            yield f"{self._journal.path}: {n} damaged outcomes are not used; their queries are asked again."

    def recording(
        self, table: OutcomeTable | None, failed: Mapping[str, tuple[int, str]], stopped: str, spent: Spent
    ) -> Recording:
        budget = self._asker.budget
        return Recording(
            table=table,
            journal=self._journal.path,
            n_recorded=int(self.is_done.sum()),
            n_total=self.is_done.size,
            failed=failed,
            stopped=stopped,
            warnings=(*self._damaged(), *budget.overcharges.values()),
            n_lost=spent.n_lost,
            n_requests=budget.n_requests,
            spent_usd=budget.spent_usd,
        )


def _checked_scorers(names: Sequence[str]) -> dict[str, Scorer]:
    if not names:
        raise ValueError("Name at least one scorer: an outcome table needs an accuracy.")
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise ValueError(f"The scorer {repeated[0]!r} is named twice.")
    return {name: get_scorer(name) for name in names}


def _check(queries: QuerySet, out: Path, journal: Path, repeats: int, concurrency: int) -> None:
    if not queries:
        raise ValueError("There are no queries to record.")
    for name, value in (("repeats", repeats), ("concurrency", concurrency)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}.")
    if not out.parent.is_dir():
        raise ValueError(f"{out}: there is no folder {out.parent.resolve()}.")
    if out.exists() and not journal.exists():
        raise ValueError(f"{out} exists: move it away, or record into another file.")


def _warm_up(pool: Pool, queries: QuerySet, backend: str, budget: Budget) -> None:
    """Ask each LLM served here once, unrecorded: a server's first answer takes several times as long."""
    with closing(make_backend(backend, pool, budget=budget)) as unrecorded:
        for number, llm in enumerate(pool.llms):
            if not llm.base_url:
                ask(unrecorded, queries[0], number)


def _metadata(pool: Pool, queries: QuerySet, concurrency: int, scorer: str) -> dict[str, Any]:
    return circumstances(pool, concurrency) | {
        "queries_sha256": queries.sha256,
        "scorer": scorer,
        "recorded_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
