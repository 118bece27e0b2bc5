"""Who may send a request now: one lane for each LLM, with its places, its pace and its pauses, and so many in all."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from llm_routing_env.backends.faults import Kind, RequestError

MOST_FAILURES = 5  # in a row, before an LLM counts as down
PAUSE_S = 10.0  # before the next probe of one that is down
LONGEST_PAUSE_S = 600.0  # that is heeded; who can wait gives up on an LLM that asks for more
FIRST_BUSY_S, LONGEST_BUSY_S = 0.25, 60.0  # for one that is busy and does not say for how long: doubles


_LATE = "no place in flight within the deadline: raise max_in_flight"


class DownError(Exception):
    """An LLM cannot be asked, at least not in time; the message says why."""


class Lane:
    """One LLM's queue. Times are the event loop's.

    After `MOST_FAILURES` failures in a row the LLM counts as down: one request at a time is sent to it, as a probe,
    every `PAUSE_S`, until one is answered. While it has never answered and `is_careful`, it gets one at a time too.

    Attributes:
        n_in_flight: Requests that hold a place.
        n_answers: Requests answered.
        n_failed_rounds: Failures in a row, those in flight at the same time counted as one.
        given_up: Why nothing is sent any more; "" as long as something is.
    """

    def __init__(
        self,
        limit: int,
        *,
        requests_per_minute: float = 0.0,
        tokens_per_minute: float = 0.0,
        is_careful: bool = False,
        is_patient: bool = False,
    ) -> None:
        """Begin with nothing known.

        Args:
            limit: Most requests at once.
            requests_per_minute: Most requests a minute, evenly spaced; 0: no bound.
            tokens_per_minute: Most tokens a minute; 0: no bound.
            is_careful: Whether the first answer is waited for before there are several requests at once.
            is_patient: Whether requests wait while the LLM is down; else they end in a `DownError`.
        """
        self._limit, self._is_patient = limit, is_patient
        self._is_careful = is_careful or tokens_per_minute > 0
        self._mean_tokens = 0.0
        self._s_per_request = 60 / requests_per_minute if requests_per_minute else 0.0
        self._s_per_token = 60 / tokens_per_minute if tokens_per_minute else 0.0
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.n_in_flight = self.last_turn = self.n_answers = 0
        self.n_failed_rounds = self._n_failures = 0
        self.given_up = ""
        self._round_began = self._resumes_at = self._paced_until = -math.inf

    @property
    def is_down(self) -> bool:
        """Whether the LLM has stopped answering."""
        return self._n_failures >= MOST_FAILURES

    @property
    def opens_at(self) -> float:
        """When the next request may be sent, if there is a place."""
        return max(self._resumes_at, self._paced_until)

    def may_take(self, now: float) -> bool:
        """Return whether the next request may take a place."""
        most = 1 if self._is_careful or self.is_down else self._limit
        return not self.given_up and self.opens_at <= now and self.n_in_flight < most

    def refusal(self, now: float) -> str:
        """Return why a request cannot even wait; "" if it can."""
        if self.is_down and not self._is_patient and (now < self._resumes_at or self.n_in_flight):
            return f"it is down after failures in a row: not asked for {max(self._resumes_at - now, 0.0):.1f} s"
        return self.given_up

    def take_turn(self, number: int, now: float) -> None:
        """Count a request as in flight; `number` is that of its turn among those of all lanes."""
        self.n_in_flight, self.last_turn = self.n_in_flight + 1, number
        # How many tokens it will be is known later: until then it counts as many as those before did.
        s_per_turn = self._s_per_request + self._mean_tokens * self._s_per_token
        self._paced_until = max(self._paced_until, now) + s_per_turn

    def note_answer(self, n_tokens: int = 0) -> None:
        """Note that the LLM answered, with so many tokens read and written."""
        self._is_careful = False
        self.n_answers += 1
        self.n_failed_rounds = 0
        self._paced_until += (n_tokens - self._mean_tokens) * self._s_per_token
        self._mean_tokens += (n_tokens - self._mean_tokens) / self.n_answers
        self.note_alive()

    def note_alive(self) -> None:
        """Note a sign of life that is no answer, such as that a request was refused."""
        if self.is_down:
            self._resumes_at = -math.inf
        self._n_failures = 0

    def note_fault(self, fault: RequestError, sent_at: float, now: float) -> None:
        """Note that a request that was sent at `sent_at` has failed.

        What it says of the LLM is everybody's: if it is busy, all its requests wait, not only the one that it refused.
        """
        is_new = sent_at >= self._round_began  # else it was in flight when the one before failed: it says nothing new
        was_down = self.is_down
        if is_new:
            self._round_began, self.n_failed_rounds = now, self.n_failed_rounds + 1
        if not fault.kind.says_down:
            self.note_alive()
        elif is_new or not was_down:
            self._n_failures += 1
        pause_s = fault.retry_after_s if self._is_patient else min(fault.retry_after_s, LONGEST_PAUSE_S)
        if fault.kind is Kind.BUSY and not pause_s:
            pause_s = min(LONGEST_BUSY_S, FIRST_BUSY_S * 2 ** min(self.n_failed_rounds, 10))
        elif self.is_down and (is_new or not was_down):
            pause_s = max(pause_s, PAUSE_S)
        self._resumes_at = max(self._resumes_at, now + pause_s)

    def give_up(self, reason: str) -> None:
        """Send nothing any more."""
        self.given_up = reason


class Lanes:
    """So many places in all; belongs to the event loop that it is used on.

    A free place goes to the LLM with the fewest requests in flight, of several to the one whose last turn was longest
    ago. In the order of arrival, a slow LLM would soon hold every place, and the others would stand idle.
    """

    def __init__(self, n_places: int, lanes: Sequence[Lane]) -> None:
        """Have `n_places` for all the lanes together."""
        self._n_free, self._lanes = n_places, lanes
        self._n_turns = 0
        self._alarm: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def place(self, lane: Lane, ends_at: float = math.inf) -> AsyncIterator[None]:
        """Wait for a place in a lane and hold it for the length of the block.

        Raises:
            DownError: The LLM cannot be asked before `ends_at`.
        """
        loop = asyncio.get_running_loop()
        if lane.opens_at > ends_at:
            paused = f"it is to be left alone for {lane.opens_at - loop.time():.3g} s, past the deadline"
            raise DownError(lane.refusal(loop.time()) or paused)
        turn = loop.create_future()
        lane.waiting.append(turn)
        loop.call_soon(self._give_out)  # when all that are asked at the same time wait, not only the first
        late = None if ends_at == math.inf else loop.call_at(ends_at, _refuse, turn, _LATE)
        try:
            await turn
            yield
        finally:
            if late is not None:
                late.cancel()
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._n_free += 1
                lane.n_in_flight -= 1
                self._give_out()

    def _give_out(self) -> None:
        """Give free places to those that wait, tell those that wait in vain, and look again when a lane opens."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._n_free and (lanes := [lane for lane in self._lanes if lane.waiting and lane.may_take(now)]):
            lane = min(lanes, key=lambda lane: (lane.n_in_flight, lane.last_turn))
            turn = lane.waiting.popleft()
            if not turn.done():  # it gave up waiting
                self._n_turns += 1
                self._n_free -= 1
                lane.take_turn(self._n_turns, now)
                turn.set_result(None)
        for lane in self._lanes:
            while lane.waiting and (said := lane.refusal(now)):
                _refuse(lane.waiting.popleft(), said)
        if self._alarm is not None:
            self._alarm.cancel()
        later = min((lane.opens_at for lane in self._lanes if lane.waiting and lane.opens_at > now), default=None)
        self._alarm = None if later is None else loop.call_at(later, self._give_out)


def _refuse(turn: asyncio.Future[None], said: str) -> None:
    if not turn.done():
        turn.set_exception(DownError(said))
