"""What is to be recorded, what of it is, and how a recording ended."""

from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.backends import Request
from llm_routing_env.backends.asker import Asker
from llm_routing_env.backends.budget import RefusedOutcome
from llm_routing_env.backends.call import DownOutcome
from llm_routing_env.backends.journal import Spent
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

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

    def fill(self, on_progress: Progress, concurrency: int) -> str:
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
        """Return how the recording ended."""
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
