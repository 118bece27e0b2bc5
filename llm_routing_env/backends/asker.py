"""The live backend: whatever asks LLMs, asks here, on one event loop in a background thread."""

import asyncio
import contextlib
import heapq
import math
import os
import threading
from array import array
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any

from llm_routing_env.backends.asked_llm import AskedLLM, ask_in_lanes
from llm_routing_env.backends.base import Answers, Request
from llm_routing_env.backends.budget import Budget
from llm_routing_env.backends.call import Answerer, Call, DownOutcome
from llm_routing_env.backends.event_loop import LoopThread
from llm_routing_env.backends.journal import Journal
from llm_routing_env.backends.journal_file import Kept
from llm_routing_env.pools.pool import Pool
from llm_routing_env.pools.provenance import answer_identities, circumstances, request_digest
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query


class Asker:
    """Asks the LLMs of a pool, each in its lane, within a budget; with a journal, nothing is asked twice.

    What may pass (a refused connection, HTTP 503, ...) is tried again, see `faults`. Latency is the LLM's: of the last
    request, from sending it to having the whole response. One that the budget does not allow ends in a
    `RefusedOutcome`. With a journal no outcome is used before the disk has it, and one that it holds is not asked for:
    the n-th time that an LLM is asked a query, it gives the outcome that was journalled as repeat n.

    A live session cannot wait: its requests end by the deadline, and at once for an LLM that is down. A recording can
    (`is_patient`): a deadline is of each request from when it is sent, one to an LLM that is down waits for it, and
    comes to a `DownOutcome` where that is in vain.

    Attributes:
        pool: The LLMs.
        budget: What is spent.
        journal: Where outcomes are kept.
    """

    def __init__(
        self,
        pool: Pool,
        open_answerer: Callable[[], Answerer],
        *,
        max_in_flight: int,
        budget: Budget | None = None,
        journal: Journal | None = None,
        is_patient: bool = False,
        retry_errors: bool = False,
    ) -> None:
        """Prepare to ask; nothing is sent, and no thread started, before the first request.

        Args:
            pool: The LLMs; one with a `max_in_flight` of its own never gets more at once.
            open_answerer: Makes what sends requests, on the event loop.
            max_in_flight: Most requests at once.
            budget: What may be spent, what a resumed journal holds included; None: no bound.
            journal: Takes every outcome, and gives those it has; closed with this.
            is_patient: Whether requests wait as long as it takes.
            retry_errors: Whether those journalled outcomes are asked for again that are errors.

        Raises:
            ValueError: `max_in_flight` is below 1, or the journal is of LLMs that answer otherwise.
        """
        if max_in_flight < 1:
            raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight}.")
        self.pool, self.budget, self.journal = pool, budget or Budget(), journal
        self._open_answerer, self._max_in_flight, self._is_patient = open_answerer, max_in_flight, is_patient
        self._retry_errors = retry_errors
        self._identities: Mapping[str, Mapping[str, Any]] = {}
        if journal is not None:
            self._identities = journal.begin_run(circumstances(pool, max_in_flight), answer_identities(pool))
            spent = journal.spent()
            self.budget.charge(spent.usd, spent.n_requests, source=journal.path.resolve())
        # By request: how often it was asked, and which of these times are free again.
        self._asked: Counter[bytes] = Counter()
        self._given_back: dict[bytes, list[int]] = {}
        self._lock = threading.Lock()
        self._loop: LoopThread[Answerer] | None = None
        self._llms: list[AskedLLM] = []

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""
        return self.pool.llm_names

    def ask_many(self, *streams: Iterable[Request], concurrency: int | None = None) -> Answers:
        """Ask several queries at the same time; see `Backend`.

        Args:
            streams: What to ask, numbered in the order in which they are taken.
            concurrency: Most requests of each stream that are taken and not yet back, so that requests may depend on
                the outcomes so far, and a stream holds up no other; None: all are taken at once. A deadline counts
                from when a request is taken.

        Raises:
            ValueError: `concurrency` is below 1, or a request is for no LLM of the pool.
            OSError: The journal cannot be written, as on a full disk.
        """
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more, got {concurrency}.")
        loop = self._running()
        batch = _Batch(loop, partial(self._ask, self._llms))
        sources, taken = list(map(iter, streams)), list[tuple[bytes, int]]()
        try:
            while True:
                begun = loop.time()  # of all that are taken together: a live step has one deadline
                for number, source in enumerate(sources):
                    room = None if concurrency is None else concurrency - batch.n_running[number]
                    batch.add(number, begun, [self._numbered(request, taken) for request in islice(source, room)])
                if not batch.n_running.total():
                    break
                yield from batch.ended()
            taken.clear()
        finally:
            batch.cancel()
            # What an interrupted caller was to get is for the one who asks again.
            for digest, repeat in taken:
                heapq.heappush(self._given_back.setdefault(digest, []), repeat)

    def _numbered(self, request: Request, taken: list[tuple[bytes, int]]) -> Request:
        """Return a request with its repeat: which of the outcomes that a journal has of it is meant.

        Args:
            request: The request.
            taken: Gets what was taken for it.
        """
        if not 0 <= request.llm < len(self.pool.llms):
            raise ValueError(f"llm must be 0 to {len(self.pool.llms) - 1}, got {request.llm}.")
        if self.journal is None or request.repeat is not None:
            return request
        digest = self.digest(request.query, request.llm)
        with self._lock:
            if free := self._given_back.get(digest):
                repeat = heapq.heappop(free)
            else:
                repeat = self._asked[digest]
                self._asked[digest] += 1
        taken.append((digest, repeat))
        return request._replace(repeat=repeat)

    def digest(self, query: Query, llm: int) -> bytes:
        """Return what the journal calls a query to an LLM."""
        name = self.pool.llm_names[llm]
        return request_digest(name, self._identities[name], query.chat())

    async def _ask(self, llms: Sequence[AskedLLM], begun: float, request: Request) -> Outcome:
        llm = llms[request.llm]
        call = Call(request.query, math.inf if self._is_patient else begun + llm.deadline_s)
        if self.journal is None:
            return await llm.ask(call)
        digest, repeat = self.digest(request.query, request.llm), request.repeat or 0
        try:
            async with asyncio.timeout_at(call.latest):
                kept = await self.journal.find(digest, repeat)
        except TimeoutError:
            return Outcome("", 0, 0, 0.0, 0.0, error="the journal's disk is busy beyond the deadline", n_attempts=0)
        if kept is not None and not (self._retry_errors and kept.error is not None):
            return kept
        outcome = await llm.ask(call)
        if outcome.n_attempts and not isinstance(outcome, DownOutcome):
            row = Kept(digest, repeat, request.query.query_id, self.llm_names[request.llm], outcome)
            await self.journal.append(row, call.attempt, call.paid_usd)
        return outcome

    def warm_up(self, query: Query, llms: Iterable[int]) -> None:
        """Ask some LLMs a query, one after another, and keep nothing but what it cost."""
        loop, asked = self._running(), self._llms

        async def one(llm: int) -> None:
            call = Call(query, math.inf if self._is_patient else loop.time() + asked[llm].deadline_s)
            await asked[llm].ask(call)
            if self.journal is not None and call.attempt is not None:
                self.journal.settle(call.attempt, call.paid_usd, was_sent=True)

        for llm in llms:
            asyncio.run_coroutine_threadsafe(one(llm), loop).result()

    def close(self) -> None:
        """Close connections, thread and journal; may be called twice. Happens by itself at the interpreter's exit.

        Without a journal it can be asked again.
        """
        with self._lock:
            if self._loop is not None:
                self._loop.close()
            self._loop = None
        if self.journal is not None:
            self.journal.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        """Return the event loop, with the LLMs on it."""
        with self._lock:
            # After a fork the thread exists in the parent only: the child needs its own.
            if self._loop is None or self._loop.process != os.getpid():
                self._loop = LoopThread(self._open_answerer)
                self._llms = ask_in_lanes(
                    self.pool,
                    self._loop.tenant,
                    max_in_flight=self._max_in_flight,
                    budget=self.budget,
                    journal=self.journal,
                    is_patient=self._is_patient,
                )
            return self._loop.loop


_Ask = Callable[[float, Request], Coroutine[Any, Any, Outcome]]


class _Batch:
    """One caller's requests on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ask: _Ask) -> None:
        self._loop, self._ask = loop, ask
        self._tasks: dict[int, asyncio.Task[Outcome]] = {}
        self._stream_of = array("H")
        self._ended: SimpleQueue[int] = SimpleQueue()
        self.n_running: Counter[int] = Counter()

    def add(self, stream: int, begun: float, requests: Sequence[Request]) -> None:
        if requests:
            self._loop.call_soon_threadsafe(self._create, len(self._stream_of), begun, requests)
            self.n_running[stream] += len(requests)
            self._stream_of.extend([stream] * len(requests))

    def ended(self) -> Answers:
        """Wait for one request, and yield it and all that are back too."""
        numbers = [self._ended.get()]
        with contextlib.suppress(Empty):
            while True:
                numbers.append(self._ended.get_nowait())
        for number in numbers:
            self.n_running[self._stream_of[number]] -= 1
            task = self._tasks.pop(number)
            if task.cancelled():
                raise RuntimeError("The backend was closed while it was asked.")
            yield number, task.result()

    def cancel(self) -> None:
        if self.n_running.total():
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nothing runs
                self._loop.call_soon_threadsafe(self._cancel_all)

    def _create(self, first: int, begun: float, requests: Sequence[Request]) -> None:
        for number, request in enumerate(requests, start=first):
            self._tasks[number] = self._loop.create_task(self._ask(begun, request))
            self._tasks[number].add_done_callback(partial(self._note_end, number))

    def _cancel_all(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def _note_end(self, number: int, task: "asyncio.Task[Outcome]") -> None:
        if not task.cancelled():
            task.exception()  # is raised where somebody waits for it; to the others asyncio need not complain
        self._ended.put(number)
