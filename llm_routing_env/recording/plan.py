"""What is to be recorded, what of it is, and how a recording ended."""

from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends import Request
from llm_routing_env.backends.asker import Asker
from llm_routing_env.backends.budget import RefusedOutcome
from llm_routing_env.backends.call import DownOutcome
from llm_routing_env.backends.journal import Spent
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

LOOK_AHEAD = 16
Progress = Callable[[int, int, float], None]
"""Takes outcomes recorded, outcomes in total, and US dollars spent."""


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
        is_out_of_budget: Whether that was the budget.
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
    is_out_of_budget: bool
    warnings: tuple[str, ...]
    n_lost: int
    n_requests: int
    spent_usd: float

    @property
    def n_failed(self) -> int:
        """How many recorded outcomes are errors."""
        return sum(n for n, _ in self.failed.values())


@dataclass(slots=True)
class Stopped:
    """What stopped a recording.

    Attributes:
        reasons: Each said once, in the order in which they came.
        llms: Those that were given up: the others go on.
        is_out_of_budget: Whether the budget was one of them.
    """

    reasons: list[str] = field(default_factory=list)
    llms: set[int] = field(default_factory=set)
    is_out_of_budget: bool = False

    def note(self, llm: int, name: str, outcome: Outcome) -> None:
        """Note that a request to an LLM came to nothing."""
        if isinstance(outcome, RefusedOutcome):
            self.is_out_of_budget = True
        else:
            self.llms.add(llm)
        reason = f"{name!r} was given up: {outcome.error}" if isinstance(outcome, DownOutcome) else f"{outcome.error}"
        if reason not in self.reasons:
            self.reasons.append(reason)


class Plan:
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
        places: dict[bytes, tuple[int, int]] = {}
        self._copies: dict[tuple[int, int], list[int]] = {}  # queries with the same prompt share their outcomes
        for q, row in enumerate(self.digests):
            for llm, digest in enumerate(row):
                first = places.setdefault(digest, (q, llm))
                if first != (q, llm):
                    self._copies.setdefault(first, []).append(q)
        self.is_done: NDArray[np.bool_] = np.zeros((repeats, len(queries), len(llms)), dtype=bool)
        self._is_failed = np.zeros_like(self.is_done)
        self._loads = np.zeros(self.is_done.shape, dtype=np.int32)  # requests in flight, in the run of each outcome

        def note(digest: bytes, repeat: int, failed: bool, load: int) -> None:
            if digest in places and repeat < repeats:
                is_kept = not (failed and retry_errors)
                self._mark(repeat, *places[digest], is_done=is_kept, is_failed=failed and is_kept, load=load)

        self._journal.each(note)
        self._n_done = int(self.is_done.sum())

    def _mark(self, repeat: int, query: int, llm: int, *, is_done: bool, is_failed: bool, load: int) -> None:
        for q in (query, *self._copies.get((query, llm), ())):
            self.is_done[repeat, q, llm], self._is_failed[repeat, q, llm] = is_done, is_failed
            self._loads[repeat, q, llm] = load

    @property
    def loads(self) -> list[int]:
        """Under how many requests in flight the outcomes were recorded, rising: an earlier run may have had others."""
        return [int(load) for load in np.unique(self._loads[self.is_done]) if load]

    def llms_to_ask(self) -> list[int]:
        """Return the LLMs of which something is not done."""
        return [int(llm) for llm in np.flatnonzero(~self.is_done.all(axis=(0, 1)))]

    def fill(self, on_progress: Progress, concurrency: int) -> Stopped:
        """Ask for everything that is not done; return what stopped it."""
        stopped = Stopped()
        n_llms, copies = len(self._asker.llm_names), {(q, llm) for (_, llm), qs in self._copies.items() for q in qs}
        asked = array("q")  # the place of each request in `is_done`: there may be millions

        def requests(llm: int) -> Iterator[Request]:
            for place in np.flatnonzero(~self.is_done[:, :, llm]):
                if stopped.is_out_of_budget or llm in stopped.llms:
                    return
                repeat, query = divmod(int(place), len(self._queries))
                if (query, llm) not in copies:
                    asked.append(int(place) * n_llms + llm)
                    yield Request(self._queries[query], llm, repeat)

        streams = [requests(llm) for llm in range(n_llms)]
        # Some wait all the time: an LLM with none waiting for a moment would lose its place to a slower one.
        with closing(self._asker.ask_many(*streams, concurrency=concurrency + LOOK_AHEAD)) as answers:
            for number, outcome in answers:
                place, llm = divmod(asked[number], n_llms)
                if isinstance(outcome, RefusedOutcome | DownOutcome):
                    stopped.note(llm, self._asker.llm_names[llm], outcome)
                    continue
                repeat, query = divmod(place, len(self._queries))
                self._mark(repeat, query, llm, is_done=True, is_failed=outcome.error is not None, load=concurrency)
                self._n_done += 1 + len(self._copies.get((query, llm), ()))
                on_progress(self._n_done, self.is_done.size, self._asker.budget.spent_usd)
        return stopped

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
        self, table: OutcomeTable | None, failed: Mapping[str, tuple[int, str]], stopped: Stopped, spent: Spent
    ) -> Recording:
        """Return how the recording ended."""
        budget = self._asker.budget
        return Recording(
            table=table,
            journal=self._journal.path,
            n_recorded=int(self.is_done.sum()),
            n_total=self.is_done.size,
            failed=failed,
            stopped="; ".join(stopped.reasons),
            is_out_of_budget=stopped.is_out_of_budget,
            warnings=(*self._damaged(), *budget.overcharges.values()),
            n_lost=spent.n_lost,
            n_requests=budget.n_requests,
            spent_usd=budget.spent_usd,
        )
