"""One LLM behind an HTTP endpoint: how it is asked, and what makes an outcome of its answer."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from llm_routing_env.backends.chat_completion import AnswerError, Completion, read_stream, read_whole
from llm_routing_env.backends.places import Places
from llm_routing_env.outcomes import Outcome
from llm_routing_env.pool import LLMSpec, Pool

# vLLM closes a connection that was idle for 5 s; a request sent at that moment would fail for nothing.
_KEEP_ALIVE_S = 3.0
_ERROR_LENGTH = 200


class HTTPClient:
    """Pooled connections and the places in flight; belongs to the event loop that it was made on.

    Attributes:
        session: What sends the requests.
        places: Who may send one, by the index of the LLM.
    """

    def __init__(self, llms: Sequence[LLMSpec], max_in_flight: int) -> None:
        """Keep at most `max_in_flight` requests, and connections, in all; of an LLM at most what its spec says."""
        connector = aiohttp.TCPConnector(limit=max_in_flight, keepalive_timeout=_KEEP_ALIVE_S)
        no_timeout = aiohttp.ClientTimeout(total=None)  # the deadline is set around each request
        self.session = aiohttp.ClientSession(connector=connector, timeout=no_timeout)
        self.places = Places(max_in_flight, [llm.max_in_flight or max_in_flight for llm in llms])

    async def close(self) -> None:
        """Close the connections."""
        await self.session.close()


class Endpoint:
    """One LLM's address and how to talk to it."""

    def __init__(self, pool: Pool, index: int, base_url: str, *, stream: bool) -> None:
        """Look up the API key and the proxy of the pool's LLM `index`; nothing is sent.

        Raises:
            ValueError: The API key is missing.
        """
        self._llm = llm = pool.llms[index]
        self._index, self._deadline_s, self._stream = index, pool.deadline_s, stream
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

        The deadline counts from the loop's time `taken_at`, the latency from when the request has its place in flight
        and is sent.
        """
        body, begun, is_sent = self._body(prompt), time.perf_counter(), False
        try:
            async with asyncio.timeout_at(taken_at + self._deadline_s), client.places.place(self._index):
                begun, is_sent = time.perf_counter(), True
                completion = await self._post(client, body, begun)
        except TimeoutError:
            if is_sent:
                return self._failure(f"no response within the deadline of {self._deadline_s:g} s", begun)
            reason = f"no place in flight within the deadline of {self._deadline_s:g} s: raise max_in_flight"
            waited_s = asyncio.get_running_loop().time() - taken_at
            return Outcome("", 0, 0, 0.0, waited_s, error=reason)  # never sent: it cost nothing
        except AnswerError as error:
            return self._failure(str(error), begun)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return self._failure(f"{type(error).__name__}: {error}", begun)
        return self._outcome(completion, time.perf_counter() - begun)

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

    async def _post(self, client: HTTPClient, body: bytes, begun: float) -> Completion:
        try:
            return await self._post_once(client, body, begun)
        except aiohttp.ServerDisconnectedError:
            # Most often a kept connection that the server closed just now: HTTP clients send again.
            return await self._post_once(client, body, begun)

    async def _post_once(self, client: HTTPClient, body: bytes, begun: float) -> Completion:
        request = client.session.post(self._url, data=body, headers=self._headers, proxy=self._proxy)
        async with request as response:
            if response.status != 200:
                text = (await response.read()).decode(errors="replace")
                raise AnswerError(f"HTTP {response.status}: {text}")
            if self._stream:
                return await read_stream(response.content, begun)
            return read_whole(await response.read())

    def _outcome(self, completion: Completion, latency_s: float) -> Outcome:
        prompt_tokens, completion_tokens = completion.usage or (0, 0)
        uncounted = "the response has no usage, so its tokens and cost are unknown"
        return Outcome(
            response=completion.text,
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            cost_usd=self._llm.cost_usd(prompt_tokens, completion_tokens, latency_s),
            latency_s=latency_s,
            error=None if completion.usage else uncounted,
            ttft_s=completion.ttft_s,
        )

    def _failure(self, error: str, begun: float) -> Outcome:
        latency_s = time.perf_counter() - begun
        error = " ".join(error.split())  # one line
        if self._key:
            error = error.replace(self._key, "[key]")  # some servers quote the key they refuse
        return Outcome("", 0, 0, self._llm.cost_usd(0, 0, latency_s), latency_s, error=error[:_ERROR_LENGTH])
