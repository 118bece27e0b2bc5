"""The live backend: LLMs behind OpenAI-compatible HTTP endpoints, as vLLM serves them."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from llm_routing_env.backends.event_loop import LoopThread
from llm_routing_env.outcomes import Outcome
from llm_routing_env.pool import LLMSpec, Pool
from llm_routing_env.queries import Query
from llm_routing_env.serving.endpoints import read_endpoints

# vLLM closes a connection that was idle for 5 s; a request sent at that moment would fail for nothing.
_KEEP_ALIVE_S = 3.0
_ERROR_LENGTH = 200


class VLLMHTTPBackend:
    """Asks the LLMs of a pool over HTTP, at temperature 0.

    Latency is what a user would see: from sending the request to having the whole response. Requests run on
    an event loop in a background thread, so this works in Jupyter too; sockets open at the first request.

    Example:
        >>> backend = VLLMHTTPBackend(load_pool("nano"))  # doctest: +SKIP
        >>> backend.ask(query, llm=0).response  # doctest: +SKIP
    """

    def __init__(self, pool: Pool, *, concurrency: int = 32) -> None:
        """Find the endpoints; nothing is sent yet.

        Args:
            pool: The LLMs to ask.
            concurrency: How many requests `ask_many` keeps in flight.

        Raises:
            ServingError: The pool is not being served; names the command that serves it.
            ValueError: An API key is missing, or `concurrency` is below 1.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more, got {concurrency}.")
        self.pool = pool
        self._concurrency = concurrency
        urls = read_endpoints(pool)
        self._endpoints = [_Endpoint(llm, urls[llm.name], pool.deadline_s) for llm in pool.llms]
        self._loop = LoopThread(_open_session)

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""
        return self.pool.llm_names

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the outcome of one query on one LLM; `repeat` has no meaning here.

        Whatever goes wrong at the other end (refused, too slow, an HTTP error, nonsense) is in its `error`.
        """
        return self._loop.run(lambda session: self._endpoints[llm].ask(session, query.prompt))

    def ask_many(self, requests: Sequence[tuple[Query, int]]) -> list[Outcome]:
        """Return the outcomes of several (query, LLM) pairs, in their order, asked at the same time.

        An outcome's latency starts when its request is sent, not while it waits for a place in flight.
        """

        async def ask_all(session: aiohttp.ClientSession) -> list[Outcome]:
            places = asyncio.Semaphore(self._concurrency)

            async def ask_one(query: Query, llm: int) -> Outcome:
                async with places:
                    return await self._endpoints[llm].ask(session, query.prompt)

            return await asyncio.gather(*(ask_one(query, llm) for query, llm in requests))

        return self._loop.run(ask_all)

    def close(self) -> None:
        """Close the connections; may be called twice. Happens by itself at the interpreter's exit."""
        self._loop.close()


class _Endpoint:
    """One LLM's address and how to talk to it."""

    def __init__(self, llm: LLMSpec, base_url: str, deadline_s: float) -> None:
        self._llm, self._deadline_s = llm, deadline_s
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

    async def ask(self, session: aiohttp.ClientSession, prompt: str) -> Outcome:
        body = json.dumps(
            {
                "model": self._llm.served_name or self._llm.name,
                "messages": [{"role": "user", "content": prompt}],
                "temperature": 0,
                "max_tokens": self._llm.max_tokens,
            }
        ).encode()
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self._deadline_s):
                status, text = await self._post(session, body)
        except TimeoutError:
            return self._failure(f"no response within the deadline of {self._deadline_s:g} s", begun)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._failure(f"{type(error).__name__}: {error}", begun)
        latency_s = time.perf_counter() - begun
        if status != 200:
            return self._failure(f"HTTP {status}: {text.decode(errors='replace')}", begun)
        try:
            return self._outcome(json.loads(text), latency_s)
        except (ValueError, TypeError, LookupError, AttributeError):
            return self._failure(f"not a chat completion: {text.decode(errors='replace')}", begun)

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> tuple[int, bytes]:
        try:
            return await self._post_once(session, body)
        except aiohttp.ServerDisconnectedError:
            # Most often a kept connection that the server closed just now: HTTP clients send again.
            return await self._post_once(session, body)

    async def _post_once(self, session: aiohttp.ClientSession, body: bytes) -> tuple[int, bytes]:
        async with session.post(self._url, data=body, headers=self._headers, proxy=self._proxy) as response:
            return response.status, await response.read()

    def _outcome(self, document: dict[str, Any], latency_s: float) -> Outcome:
        message = document["choices"][0]["message"]
        usage = document.get("usage") or {}
        prompt_tokens = int(usage.get("prompt_tokens", 0))
        completion_tokens = int(usage.get("completion_tokens", 0))
        return Outcome(
            response=message.get("content") or "",
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=self._llm.cost_usd(prompt_tokens, completion_tokens, latency_s),
            latency_s=latency_s,
            error=None if usage else "the response has no usage, so its tokens and cost are unknown",
            time_to_first_token_s=_time_to_first_token_s(document.get("metrics") or {}),
        )

    def _failure(self, error: str, begun: float) -> Outcome:
        latency_s = time.perf_counter() - begun
        error = " ".join(error.split())  # one line
        if self._key:
            error = error.replace(self._key, "[key]")  # some servers quote the key they refuse
        return Outcome("", 0, 0, self._llm.cost_usd(0, 0, latency_s), latency_s, error=error[:_ERROR_LENGTH])


def _time_to_first_token_s(metrics: dict[str, Any]) -> float | None:
    """Read what vLLM reports with --enable-per-request-metrics; its figure omits the time in the queue."""
    first_ms = metrics.get("time_to_first_token_ms")
    return None if first_ms is None else (float(first_ms) + float(metrics.get("queue_time_ms") or 0)) / 1000


async def _open_session() -> aiohttp.ClientSession:
    # No limit on connections: how many requests are in flight is decided by who sends them.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S)
    no_timeout = aiohttp.ClientTimeout(total=None)  # the deadline is set around each request
    return aiohttp.ClientSession(connector=connector, timeout=no_timeout)
