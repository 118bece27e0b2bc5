"""One LLM of a pool as it is asked: in its lane, within the budget, again where that may help, and by a deadline."""

import asyncio
import time
from dataclasses import replace

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from llm_routing_env.backends.budget import Budget, BudgetError, RefusedOutcome
from llm_routing_env.backends.call import Answerer, Call, DownOutcome
from llm_routing_env.backends.chat_completion import Completion, UncountedError
from llm_routing_env.backends.faults import Kind, RequestError
from llm_routing_env.backends.journal import Journal
from llm_routing_env.backends.lanes import LONGEST_PAUSE_S, DownError, Lane, Lanes
from llm_routing_env.backends.usage import Usage
from llm_routing_env.pools.pool import Pool
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query

FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 8.0  # before a retry: drawn from 0 to a bound that doubles up to the longest
# Who is patient waits while an LLM is down, up to so many failed probes: five minutes at `lanes.PAUSE_S`.
MOST_ROUNDS = 30
# A query that fails so often while the LLM answers others is at fault itself.
PATIENT_RETRIES = 4
# Queries in a row that fail for good: then it is not the queries.
MOST_FAILED = 10
_ROUNDING = 1 + 1e-9


class AskedLLM:
    """One LLM: how it is asked.

    Attributes:
        deadline_s: Longest time one request may take.
    """

    def __init__(
        self,
        pool: Pool,
        number: int,
        answerer: Answerer,
        lane: Lane,
        lanes: Lanes,
        budget: Budget,
        journal: Journal | None,
    ) -> None:
        """Remember with whom to deal for the pool's LLM `number`; nothing is sent."""
        self._number, self._llm, self._answerer = number, pool.llms[number], answerer
        self._lane, self._lanes, self._budget, self._journal = lane, lanes, budget, journal
        self.deadline_s = self._llm.deadline_s or pool.deadline_s
        self._max_retries = pool.max_retries if self._llm.max_retries is None else self._llm.max_retries
        # By what factor the endpoint was seen to exceed its worst case, and what it charged then.
        self._factor, self._dearest_usd = 1.0, 0.0
        self._n_failed = 0  # outcomes in a row
        self._n_asked = 0  # queries that have no outcome yet

    async def ask(self, call: Call) -> Outcome:
        """Return what comes of a query, at `call.ends_at` at the latest."""
        loop = asyncio.get_running_loop()
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, RequestError) and self._goes_again(call, error)),
            wait=_pause_s,
            stop=lambda state: loop.time() + state.upcoming_sleep >= call.ends_at,
            sleep=asyncio.sleep,
            reraise=True,
        )
        self._n_asked += 1
        try:
            outcome: Outcome = await retrying(self._attempt, call)
            return outcome
        except RequestError as fault:
            return self._failed(call, fault)
        except DownError as error:
            return self._unsent(call, str(error))
        except TimeoutError:
            late = f"not sent within the deadline of {self.deadline_s:g} s: no room in the budget, or a busy disk"
            return self._unsent(call, late)
        except BudgetError as error:
            if call.fault is None or call.is_patient:
                return RefusedOutcome("", 0, 0, 0.0, 0.0, error=str(error), n_attempts=0)
            return self._unsent(call, str(error))
        finally:
            self._n_asked -= 1

    async def _attempt(self, call: Call) -> Outcome:
        """Send one request: wait for a place and for room in the budget, and settle what it did cost."""
        async with self._lanes.place(self._lane, call.ends_at):
            worst_usd = self._worst_usd(call.query)
            async with asyncio.timeout_at(call.latest):
                await self._budget.reserve(worst_usd)
            call.paid_usd, was_sent = 0.0, False
            try:
                async with asyncio.timeout_at(call.latest):
                    await self._announce(call, worst_usd)
                call.paid_usd, was_sent = worst_usd, True  # whoever gives up on it may have to pay
                return self._success(call, await self._complete(call), worst_usd)
            except RequestError as fault:
                call.fault, was_sent = fault, fault.kind.was_sent
                call.n_attempts -= not was_sent
                call.paid_usd = worst_usd if fault.kind.may_be_billed else 0.0
                if was_sent:
                    self._settle(call, was_sent=True)
                raise
            finally:
                self._budget.settle(worst_usd, call.paid_usd, was_sent=was_sent)
                if not was_sent:
                    self._settle(call, was_sent=False)

    async def _announce(self, call: Call, worst_usd: float) -> None:
        if self._journal is not None:
            call.attempt = self._journal.next_attempt()  # known before it is written, in case that is given up
            await self._journal.announce(call.attempt, worst_usd)

    def _settle(self, call: Call, *, was_sent: bool) -> None:
        if self._journal is not None and call.attempt is not None:
            self._journal.settle(call.attempt, call.paid_usd, was_sent=was_sent)
            call.attempt = None

    async def _complete(self, call: Call) -> Completion:
        """Return the answer, and tell the lane what comes of the request."""
        begun = asyncio.get_running_loop().time()
        call.sent_at, call.n_attempts = time.perf_counter(), call.n_attempts + 1
        try:
            async with asyncio.timeout_at(min(begun + self.deadline_s, call.ends_at)):
                return self._counted(await self._answerer.complete(self._number, call.query))
        except TimeoutError:
            fault = RequestError(f"no response within the deadline of {self.deadline_s:g} s", Kind.BROKEN)
        except RequestError as caught:
            fault = caught
        finally:
            call.latency_s = time.perf_counter() - call.sent_at
        self._lane.note_fault(fault, begun, asyncio.get_running_loop().time())
        # While an LLM answers others, what fails again and again is the query's own fault; else it says nothing of it.
        is_answering = self._lane.n_answers > call.n_answers_before
        is_of_query = is_answering and fault.kind.was_sent and fault.kind is not Kind.BUSY
        call.n_own_faults += not call.is_patient or is_of_query
        call.n_answers_before = self._lane.n_answers
        raise fault

    def _goes_again(self, call: Call, fault: RequestError) -> bool:
        if not call.is_patient:
            return fault.kind.may_pass and call.n_own_faults <= self._max_retries
        if self._lane.n_failed_rounds >= MOST_ROUNDS:
            if self._n_asked == 1 and fault.kind.was_sent and fault.kind is not Kind.BUSY:
                return False  # nobody else is left to ask, so it may as well be the query: a failed outcome, asked once
            self._lane.give_up(f"{MOST_ROUNDS} failures in a row, the last: {fault}")
        elif fault.retry_after_s > LONGEST_PAUSE_S:
            self._lane.give_up(f"it asks to be left alone for {fault.retry_after_s:g} s: {fault}")
        if self._lane.given_up:
            return False
        return fault.kind.may_pass and call.n_own_faults <= max(self._max_retries, PATIENT_RETRIES)

    def _worst_usd(self, query: Query) -> float:
        return max(self._factor * self._expected_usd(query), self._dearest_usd)

    def _expected_usd(self, query: Query) -> float:
        """Return the most that a query can cost if the endpoint heeds its longest completion."""
        return self._llm.worst_usd("".join(message["content"] for message in query.chat()), self.deadline_s)

    def _counted(self, completion: Completion) -> Completion:
        """Return an answer whose cost is known, or raise UncountedError."""
        usage = completion.usage or Usage(0, 0)
        says_nothing = completion.usage is None or (completion.text and not sum(usage[:2]))
        if says_nothing and self._llm.is_priced_by_token:
            raise UncountedError(completion)
        return completion

    def _success(self, call: Call, completion: Completion, worst_usd: float) -> Outcome:
        usage = completion.usage or Usage(0, 0)
        call.latency_s = call.latency_s if completion.latency_s is None else completion.latency_s
        cost_usd = self._llm.cost_usd(
            usage.prompt_tokens, usage.completion_tokens, call.latency_s, cached_tokens=usage.cached_tokens
        )
        call.paid_usd = cost_usd
        if cost_usd > worst_usd * _ROUNDING:
            expected_usd = self._expected_usd(call.query)
            self._factor = max(self._factor, cost_usd / expected_usd if expected_usd else 1.0)
            self._dearest_usd = max(self._dearest_usd, cost_usd)
            self._budget.note_overcharge(self._llm.name, cost_usd, worst_usd)
        self._lane.note_answer(usage.prompt_tokens + usage.completion_tokens)
        self._n_failed = 0
        return Outcome(
            response=completion.text,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=cost_usd,
            latency_s=call.latency_s,
            ttft_s=completion.ttft_s,
            n_attempts=call.n_attempts,
            wait_s=call.sent_at - call.asked_at,
            finish_reason=completion.finish_reason,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
        )

    def _failed(self, call: Call, fault: RequestError) -> Outcome:
        """Return the outcome of a query whose last request failed, and give up on an LLM of which that is the rule."""
        self._n_failed += not (fault.kind is Kind.REFUSED and self._lane.n_answers)  # who answers may refuse, too
        if call.is_patient and not self._lane.given_up:
            if fault.kind is Kind.LASTING:
                self._lane.give_up(str(fault))
            elif self._n_failed >= MOST_FAILED or (self._lane.is_down and not fault.kind.may_pass):
                self._lane.give_up(f"{self._n_failed} failures in a row, the last: {fault}")
        if self._lane.given_up and (fault.kind.may_pass or fault.kind is Kind.LASTING):  # not the query's fault
            return self._failure(call, self._lane.given_up, DownOutcome)
        return self._failure(call, str(fault))

    def _unsent(self, call: Call, reason: str) -> Outcome:
        """Return the outcome of a query whose request, or the next one after some that failed, may not be sent."""
        if call.is_patient:
            return self._failure(call, reason, DownOutcome)
        return self._failure(call, f"{call.fault}; not sent again: {reason}" if call.fault else reason)

    def _failure(self, call: Call, error: str, kind: type[Outcome] = Outcome) -> Outcome:
        cost_usd = self._llm.cost_usd(0, 0, call.latency_s) if call.n_attempts else 0.0
        wait_s = (call.sent_at or time.perf_counter()) - call.asked_at
        outcome = kind("", 0, 0, cost_usd, call.latency_s, error=error, n_attempts=call.n_attempts, wait_s=wait_s)
        if not isinstance(call.fault, UncountedError):
            return outcome
        said = call.fault.completion  # paid for, so it is kept
        return replace(outcome, response=said.text, ttft_s=said.ttft_s, finish_reason=said.finish_reason)


def ask_in_lanes(
    pool: Pool, answerer: Answerer, *, max_in_flight: int, budget: Budget, journal: Journal | None, is_patient: bool
) -> list[AskedLLM]:
    """Return a pool's LLMs, each in a lane of its own, with `max_in_flight` places for all of them together."""
    lanes = [
        Lane(
            llm.max_in_flight or max_in_flight,
            requests_per_minute=llm.requests_per_minute,
            tokens_per_minute=llm.tokens_per_minute,
            is_careful=budget.max_usd is not None and llm.is_priced_by_token,
            is_patient=is_patient,
        )
        for llm in pool.llms
    ]
    places = Lanes(max_in_flight, lanes)
    return [AskedLLM(pool, number, answerer, lane, places, budget, journal) for number, lane in enumerate(lanes)]


def _pause_s(state: RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome else None
    if isinstance(fault, RequestError) and (fault.kind is Kind.BUSY or fault.retry_after_s):
        return 0.0  # the lane's pause is everybody's
    return wait_random_exponential(FIRST_RETRY_S, LONGEST_RETRY_S)(state)
