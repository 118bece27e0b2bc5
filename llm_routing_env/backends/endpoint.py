"""One LLM behind an HTTP endpoint: how it is asked, again where that may help, and what becomes an outcome."""

import asyncio
import json
import os
import random
import time
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from llm_routing_env.backends.budget import Budget
from llm_routing_env.backends.chat_completion import AnswerError, Completion
from llm_routing_env.backends.circuit_breaker import CircuitBreaker
from llm_routing_env.backends.http_client import REMOTE_FAULTS, HTTPClient
from llm_routing_env.backends.retries import StatusError, is_refusal, may_pass, pause_s, was_sent
from llm_routing_env.pools.pool import Pool
from llm_routing_env.tables.outcome import Outcome

_ERROR_LENGTH = 200


class _NotSentError(Exception):
    """A request may not be sent; the message says why."""


@dataclass(slots=True)
class _Call:
    """What has become of one query so far.

    Attributes:
        body: What is sent.
        worst_usd: The most that sending it once can cost.
        taken_at: The loop's time when it was taken.
        ends_at: The loop's time at its deadline.
        n_tries: How often sending was tried.
        n_attempts: How often it was sent: tries less connections that were refused.
        n_reserved: Requests that the budget has set aside; the first one is the caller's.
        first_at: The loop's time of the first try.
        first_try, last_try: When they began, by `time.perf_counter`.
        is_sending: Whether the last try is under way.
        error: Why the last try failed.
    """

    body: bytes
    worst_usd: float
    taken_at: float
    ends_at: float
    n_tries: int = 0
    n_attempts: int = 0
    n_reserved: int = 1
    first_at: float = 0.0
    first_try: float = 0.0
    last_try: float = 0.0
    is_sending: bool = False
    error: Exception | None = None


class Endpoint:
    """One LLM's address and how to talk to it: with retries, a circuit breaker and a deadline.

    `retries` has a table of what is sent again.
    """

    def __init__(self, pool: Pool, index: int, base_url: str, *, stream: bool, budget: Budget | None) -> None:
        """Look up the API key and the proxy of the pool's LLM `index`; nothing is sent.

        Raises:
            ValueError: The API key is missing.
        """
        self._llm = llm = pool.llms[index]
        self._index, self._deadline_s, self._max_retries = index, pool.deadline_s, pool.max_retries
        self._stream, self._budget = stream, budget
        self._circuit = CircuitBreaker(pool.deadline_s)
        self._rng = random.Random()  # for pauses only: no result depends on it
        self._url = f"{base_url}/chat/completions"
        self._headers = {"Content-Type": "application/json"}
        self._key = ""
        if llm.api_key_env:
            self._key = os.environ.get(llm.api_key_env, "")
            if not self._key:
                raise ValueError(f"LLM {llm.name!r} needs its API key in the environment variable {llm.api_key_env}.")
            self._headers["Authorization"] = f"Bearer {self._key}"
        # Looked up once: aiohttp's own look-up takes a thread for every request.
        parts = urlsplit(base_url)
        is_direct = parts.hostname in ("127.0.0.1", "localhost", "::1") or proxy_bypass(parts.hostname or "")
        self._proxy = None if is_direct else getproxies().get(parts.scheme)

    async def ask(self, client: HTTPClient, prompt: str, taken_at: float) -> Outcome:
        """Return the LLM's outcome, at the deadline at the latest.

        The deadline counts from the loop's time `taken_at`, the latency from when the request first has its place in
        flight and is sent; it includes the pauses before retries, during which the place is free for others.
        """
        ends_at = taken_at + self._deadline_s
        call = _Call(self._body(prompt), self._llm.worst_usd(prompt, self._deadline_s), taken_at, ends_at)
        try:
            async with asyncio.timeout_at(call.ends_at):
                return await self._ask(client, call)
        except TimeoutError:
            if call.is_sending:
                return self._failure(call, f"no response within the deadline of {self._deadline_s:g} s")
            return self._not_sent(
                call, f"no place in flight within the deadline of {self._deadline_s:g} s: raise max_in_flight"
            )
        finally:
            if self._budget is not None and call.n_reserved > max(call.n_attempts, 1):
                self._budget.release(call.worst_usd)  # of a retry whose connection was refused

    async def _ask(self, client: HTTPClient, call: _Call) -> Outcome:
        if self._circuit.wait_s(_now()):
            return self._not_sent(call, self._circuit_open())
        while True:
            try:
                return self._success(call, await self._try(client, call))
            except _NotSentError as reason:
                return self._not_sent(call, str(reason))
            except REMOTE_FAULTS as error:
                call.error, call.is_sending = error, False
                if not was_sent(error):
                    call.n_attempts -= 1
                if not may_pass(error) or call.n_tries > self._max_retries:
                    return self._failure(call, _describe(error))
                wait_s = pause_s(call.n_tries - 1, self._rng)
                if isinstance(error, StatusError):
                    wait_s += error.retry_after_s
            if _now() + wait_s >= call.ends_at:
                return self._not_sent(call, f"it is due in {wait_s:.3g} s, past the deadline of {self._deadline_s:g} s")
            await asyncio.sleep(wait_s)

    async def _try(self, client: HTTPClient, call: _Call) -> Completion:
        async with client.places.place(self._index):
            if call.n_tries == 0:
                self._begin(call)
            elif call.n_reserved == call.n_attempts:
                self._reserve(call)
            call.n_tries += 1
            call.n_attempts += 1
            call.last_try, call.is_sending = time.perf_counter(), True
            call.first_try = call.first_try or call.last_try
            return await client.complete(self._url, call.body, self._headers, proxy=self._proxy, stream=self._stream)

    def _begin(self, call: _Call) -> None:
        call.first_at = _now()
        if self._circuit.wait_s(call.first_at):  # it opened while this one waited for its place
            raise _NotSentError(self._circuit_open())
        self._circuit.note_sent(call.first_at)

    def _reserve(self, call: _Call) -> None:
        if self._budget is not None and not self._budget.reserve(call.worst_usd):
            raise _NotSentError(self._budget.refusal)
        call.n_reserved += 1

    def _circuit_open(self) -> str:
        return f"circuit open after failures in a row: not asked for {self._circuit.wait_s(_now()):.1f} s"

    def _body(self, prompt: str) -> bytes:
        document = {
            "model": self._llm.served_name or self._llm.name,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": self._llm.max_tokens,
        }
        if self._stream:
            document |= {"stream": True, "stream_options": {"include_usage": True}}
        return json.dumps(document).encode()

    def _success(self, call: _Call, completion: Completion) -> Outcome:
        self._circuit.note_good()
        ended = time.perf_counter()
        prompt_tokens, completion_tokens = completion.usage or (0, 0)
        uncounted = "the response has no usage, so its tokens and cost are unknown"
        before_s = call.last_try - call.first_try
        return Outcome(
            response=completion.text,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=self._llm.cost_usd(prompt_tokens, completion_tokens, ended - call.last_try),
            latency_s=ended - call.first_try,
            error=None if completion.usage or not self._llm.is_priced_by_token else uncounted,
            ttft_s=None if completion.ttft_s is None else before_s + completion.ttft_s,
            n_attempts=call.n_attempts,
        )

    def _not_sent(self, call: _Call, reason: str) -> Outcome:
        """Return the outcome of a query whose request, or the next one after some that failed, may not be sent."""
        if call.error is not None:
            return self._failure(call, _describe(call.error), f"; not sent again: {reason}")
        return Outcome("", 0, 0, 0.0, _now() - call.taken_at, error=reason, n_attempts=0)

    def _failure(self, call: _Call, error: str, note: str = "") -> Outcome:
        if call.error is not None and is_refusal(call.error):
            self._circuit.note_good()
        else:
            self._circuit.note_failure(call.first_at, _now())
        ended = time.perf_counter()
        cost_usd = self._llm.cost_usd(0, 0, ended - call.last_try) if call.n_attempts else 0.0
        if self._key:
            error = error.replace(self._key, "[key]")  # some servers quote the key they refuse
        error = " ".join(error[: 10 * _ERROR_LENGTH].split())[: _ERROR_LENGTH - len(note)] + note  # one line
        return Outcome("", 0, 0, cost_usd, ended - call.first_try, error=error, n_attempts=call.n_attempts)


def _describe(error: Exception) -> str:
    return str(error) if isinstance(error, AnswerError | StatusError) else f"{type(error).__name__}: {error}"


def _now() -> float:
    return asyncio.get_running_loop().time()
