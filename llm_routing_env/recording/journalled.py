"""Asking within a budget, each outcome in a journal before it is used: what recordings and live sessions share."""

import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from llm_routing_env.backends.base import Answers, Backend, LiveBackend, Request
from llm_routing_env.backends.budget import Budget, paid_usd
from llm_routing_env.pools.pool import Pool
from llm_routing_env.recording.journal import Cell, Journal
from llm_routing_env.recording.provenance import recording_identity
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query, QuerySet

_LOST = Outcome("", 0, 0, 0.0, 0.0, error="given up while it was in flight")


def open_journal(path: str | Path, pool: Pool, sha256: str, *, concurrency: int, resume: bool) -> Journal:
    """Open the journal of a live session.

    Args:
        path: The journal's file; its folder exists.
        pool: The LLMs.
        sha256: Of the queries that may be asked, or of the table that they are of.
        concurrency: Most requests in flight.
        resume: Whether to go on with a journal that is there.

    Raises:
        ValueError: The journal exists and `resume` is false, or it is of something else, or damaged.
        OSError: The file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent.resolve()}.")
    return Journal(path, recording_identity(pool, sha256, concurrency), resume=resume)


def warn_if_torn(journal: Journal, stacklevel: int) -> None:
    """Warn, at this level of the caller's stack, that a crash had torn the journal's last line."""
    if journal.n_dropped_bytes:
        message = f"{journal.path}: dropped a torn last line; its query is asked again."
        warnings.warn(message, stacklevel=stacklevel + 1)


def charge_journal(budget: Budget, journal: Journal, pool: Pool, queries: QuerySet) -> None:
    """Count what a journal holds as spent: before anything is sent, so that a resumed run stays within its budget.

    A request whose outcome was lost counts as often as it may have been sent, each time at its worst.
    """
    prompts = {query.query_id: query.prompt for query in queries}
    llms = {llm.name: llm for llm in pool.llms}

    def worst_usd(cell: Cell) -> float:
        return llms[cell.llm].worst_usd(prompts[cell.query_id], pool.deadline_s)

    for cell, outcome in [*journal.outcomes.items(), *journal.replaced]:
        budget.charge(paid_usd(outcome, worst_usd(cell)), outcome.n_attempts)
    for cell, times in journal.unanswered.items():
        n_requests = times * (1 + pool.max_retries)
        budget.charge(n_requests * worst_usd(cell), n_requests)


class _Sent(NamedTuple):
    """A request that was sent, its number among those asked for, and what was reserved for it."""

    number: int
    cell: Cell
    worst_usd: float


@dataclass(slots=True)
class _Batch:
    """What `ask_many` was asked for and what has become of it.

    Attributes:
        waiting: Requests to take, each with its number.
        held: The one that was taken last, if the budget refused it.
        sent: What was sent since nothing was in flight, in order.
        in_flight: What of it is not back, by its place in that order.
        replayed: Outcomes that the journal had, each with the number of its request.
        asked: How often each query was asked of each LLM.
    """

    waiting: Iterator[tuple[int, Request]]
    held: tuple[int, Request] | None = None
    sent: list[_Sent] = field(default_factory=list)
    in_flight: dict[int, _Sent] = field(default_factory=dict)
    replayed: deque[tuple[int, Outcome]] = field(default_factory=deque)
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)

    def take(self) -> Iterator[tuple[int, Request]]:
        """Yield the requests to take, first the one that was refused."""
        if self.held is not None:
            held, self.held = self.held, None
            yield held
        yield from self.waiting

    def take_replayed(self) -> Answers:
        """Yield what the journal had."""
        while self.replayed:
            yield self.replayed.popleft()


class JournalledBackend:
    """Asks another backend within a budget; with a journal, no outcome is used before the disk has it.

    An outcome that the journal holds is not asked for again: the n-th time that an LLM is asked a query, it gives the
    outcome that was journalled as repeat n, to that one caller. Only what it lacks is sent. A request that the budget
    does not allow ends in a `RefusedOutcome`; while others are in flight it waits for them, since they may cost
    less than was reserved for them.

    Attributes:
        budget: What is spent; shared with the other backend, for its retries.
    """

    def __init__(
        self,
        backend: Backend,
        pool: Pool | None,
        budget: Budget,
        journal: Journal | None = None,
        *,
        retry_errors: bool = False,
    ) -> None:
        """Wrap a backend; nothing is sent yet.

        Args:
            backend: Answers the queries; a `LiveBackend` where several are asked at once.
            pool: The LLMs, with their prices; None if these are not known: only the cost of outcomes counts then, and
                nothing can be reserved for a request.
            budget: What may be spent.
            journal: Takes every outcome, and gives those it has; see `charge_journal` for what they count.
            retry_errors: Whether those journalled outcomes are asked for again that are errors.
        """
        self.budget = budget
        self._backend, self._pool, self._journal, self._retry_errors = backend, pool, journal, retry_errors
        self._asked: Counter[tuple[str, int]] = Counter()

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""
        return self._backend.llm_names

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the outcome of one query on one LLM, or a `RefusedOutcome`.

        Raises:
            OSError: The journal cannot be written, as on a full disk.
        """
        return dict(self._run([Request(query, llm, repeat)], self._one_by_one))[0]

    def ask_many(self, requests: Iterable[Request], *, concurrency: int | None = None) -> Answers:
        """Ask several queries at the same time; see `LiveBackend`, and `ask`.

        What an interrupt leaves unread is not lost: asked for again, it comes from the journal.
        """
        return self._run(requests, partial(cast(LiveBackend, self._backend).ask_many, concurrency=concurrency))

    def must_ask(self, cell: Cell) -> bool:
        """Return whether the journal lacks an outcome."""
        return self._kept(cell) is None

    def close(self) -> None:
        """Close the other backend and the journal; may be called twice."""
        self._backend.close()
        if self._journal is not None:
            self._journal.close()

    def _one_by_one(self, requests: Iterable[Request]) -> Answers:
        for place, request in enumerate(requests):
            yield place, self._backend.ask(*request)

    def _run(self, requests: Iterable[Request], ask: Callable[[Iterable[Request]], Answers]) -> Answers:
        batch = _Batch(enumerate(requests))
        try:
            while True:
                yield from self._round(batch, ask)
                if batch.held is None:
                    break
                if not batch.sent:  # nothing was in flight whose end could have made room
                    (number, _), batch.held = batch.held, None
                    yield number, self.budget.refused()
        finally:
            for sent in batch.in_flight.values():
                self.budget.end(sent.worst_usd, _LOST)
        # Only now: what an interrupted caller never got is for the one who asks again.
        self._asked.update(batch.asked)

    def _round(self, batch: _Batch, ask: Callable[[Iterable[Request]], Answers]) -> Answers:
        """Send as many requests as the budget allows, and yield outcomes until nothing is in flight."""
        batch.sent.clear()
        with closing(ask(self._affordable(batch))) as answers:
            for place, outcome in answers:
                yield from batch.take_replayed()
                sent = batch.sent[place]
                if self._journal is not None:
                    self._journal.append(sent.cell, outcome)
                del batch.in_flight[place]
                self.budget.end(sent.worst_usd, outcome)
                yield sent.number, outcome
        yield from batch.take_replayed()

    def _affordable(self, batch: _Batch) -> Iterator[Request]:
        for number, request in batch.take():
            asked = (request.query.query_id, request.llm)
            cell = Cell(asked[0], self.llm_names[request.llm], self._asked[asked] + batch.asked[asked])
            kept = self._kept(cell)
            if kept is not None:
                batch.replayed.append((number, kept))
                batch.asked[asked] += 1
                continue
            worst_usd = self._worst_usd(request)
            if not self.budget.reserve(worst_usd):
                batch.held = (number, request)
                return
            if self._journal is not None:
                self._journal.announce(cell)
            batch.in_flight[len(batch.sent)] = sent = _Sent(number, cell, worst_usd)
            batch.sent.append(sent)
            batch.asked[asked] += 1
            yield request

    def _kept(self, cell: Cell) -> Outcome | None:
        outcome = None if self._journal is None else self._journal.outcomes.get(cell)
        return None if outcome is None or (self._retry_errors and outcome.error is not None) else outcome

    def _worst_usd(self, request: Request) -> float:
        if self._pool is None:
            return 0.0
        return self._pool.llms[request.llm].worst_usd(request.query.prompt, self._pool.deadline_s)
