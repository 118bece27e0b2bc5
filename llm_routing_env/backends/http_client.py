"""Sending chat completion requests over pooled connections, without trust in what comes back."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

import aiohttp
from aiohttp.http import HttpProcessingError

from llm_routing_env.backends.chat_completion import AnswerError, Completion, read_stream, read_whole
from llm_routing_env.backends.places import Places
from llm_routing_env.backends.retries import StatusError, read_retry_after
from llm_routing_env.pools.pool import LLMSpec

MOST_BYTES = 2**24
REMOTE_FAULTS = (AnswerError, StatusError, aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
"""All that sending a request may raise for what happens at the other end or on the way there."""
# vLLM closes a connection that was idle for 5 s; a request sent at that moment would fail for nothing.
_KEEP_ALIVE_S = 3.0
_ERROR_BYTES = 2**16


class HTTPClient:
    """Pooled connections and the places in flight; belongs to the event loop that it was made on.

    Attributes:
        places: Who may send a request, by the index of the LLM.
    """

    def __init__(self, llms: Sequence[LLMSpec], max_in_flight: int) -> None:
        """Keep at most `max_in_flight` requests, and connections, in all; of an LLM at most what its spec says."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_in_flight, keepalive_timeout=_KEEP_ALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None),  # the deadline is set around each request
            auto_decompress=False,  # a few bytes can unpack to gigabytes
            headers={"Accept-Encoding": "identity"},
        )
        self.places = Places(max_in_flight, [llm.max_in_flight or max_in_flight for llm in llms])

    async def complete(
        self, url: str, body: bytes, headers: Mapping[str, str], *, proxy: str | None, stream: bool
    ) -> Completion:
        """Send one request, once, and read its answer.

        Raises:
            StatusError: The server refused.
            AnswerError: The answer is no chat completion, or has more than `MOST_BYTES`.
            REMOTE_FAULTS: The connection failed, or what came over it is not HTTP.
        """
        begun = time.perf_counter()
        # Prompt and key are for this address, whatever others it names.
        request = self._session.post(url, data=body, headers=headers, proxy=proxy, allow_redirects=False)
        async with request as response:
            if 300 <= response.status < 400:
                place = response.headers.get("Location", "nowhere")
                raise StatusError(response.status, f"redirects to {place}; base_url must be the final address")
            if response.status != 200:
                text = (await _read(response.content, _ERROR_BYTES)).decode(errors="replace")
                raise StatusError(response.status, text, read_retry_after(response.headers.get("Retry-After")))
            if stream:
                async with aclosing(_lines(response.content)) as lines:
                    return await read_stream(lines, begun)
            answer = await _read(response.content, MOST_BYTES)
            if len(answer) > MOST_BYTES:
                raise _too_long()
            return read_whole(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    """Return the body; of one with more than `most` bytes a beginning that has more as well."""
    body = bytearray()
    async for part in content.iter_any():
        body += part
        if len(body) > most:
            break
    return bytes(body)


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a body; aiohttp's own reader of lines is slow for short ones and fails for long ones."""
    rest, n_bytes = b"", 0
    async for part in content.iter_any():
        n_bytes += len(part)
        if n_bytes > MOST_BYTES:
            raise _too_long()
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
    yield rest


def _too_long() -> AnswerError:
    return AnswerError(f"the response has more than {MOST_BYTES} bytes")
