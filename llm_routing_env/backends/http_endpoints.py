"""LLMs behind OpenAI-compatible HTTP endpoints: one request, sent once, over pooled connections, without trust."""

import asyncio
import json
import os
import re
import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http import HttpProcessingError

from llm_routing_env.backends.chat_completion import Completion, read_stream, read_whole
from llm_routing_env.backends.faults import AnswerError, Kind, RequestError, StatusError, read_retry_after
from llm_routing_env.backends.futures import settle
from llm_routing_env.backends.proxies import find_proxy
from llm_routing_env.pools.hiding import secrets_of
from llm_routing_env.pools.llm_spec import TOLD_PARAMETERS
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.serving.endpoints import read_endpoints
from llm_routing_env.tables.queries import Query
from llm_routing_env.text import printable, spellings, without_parameters, without_userinfo

MOST_BYTES = 2**24
# vLLM closes a connection that was idle for 5 s; a request sent at that moment would fail for nothing.
_KEEP_ALIVE_S = 3.0
_ERROR_BYTES = 2**16
_ERROR_LENGTH = 200
_REASON_LENGTH = 40
_SECRET_LENGTH = 4  # a shorter one is a part of ordinary words
_SCHEME = re.compile(r"^(?:Bearer|Basic|Token)\s+", re.IGNORECASE)  # before the key in a header
_CONNECTING = 0.9  # of the deadline
_ANY_FAULT = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)


class Endpoint:
    """One LLM's address, what is sent there, and what must not be shown of it.

    Attributes:
        url: Of its chat completions.
        headers: Of every request, with its secrets.
        proxy: Where its requests go first.
        timeout: Of getting a connection.
    """

    def __init__(self, llm: LLMSpec, base_url: str, *, stream: bool, deadline_s: float) -> None:
        """Look up keys and proxy; nothing is sent.

        Raises:
            ValueError: A key is missing or none that can be sent, or the proxy is none.
        """
        self._llm, self._body = llm, llm.body(())
        if stream:
            self._body |= {"stream": True, "stream_options": {"include_usage": True}}
        query = f"?{urlencode(llm.query)}" if llm.query else ""
        self.url = f"{base_url}/chat/completions{query}"
        self.headers = {"Content-Type": "application/json", **llm.headers}
        # The deadline is set around each request; one that found no connection by then was never sent.
        self.timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECTING * deadline_s)
        for header, variable in llm.headers_env.items():
            self.headers[header] = self._key(variable)
        if llm.api_key_env:
            self.headers["Authorization"] = f"Bearer {self._key(llm.api_key_env)}"
        self.proxy = find_proxy(base_url)
        self._secrets = self._hidden()

    def _hidden(self) -> list[str]:
        """Return what is blanked, the longest first: one may be the beginning of another."""
        sent = [_SCHEME.sub("", value) for header, value in self.headers.items() if header != "Content-Type"]
        sent += [value for key, value in self._llm.query.items() if key not in TOLD_PARAMETERS]
        sent += secrets_of(self._llm.request)
        spelled = {text for value in (*sent, *self.proxy.secrets) for text in spellings(value)}
        return sorted((text for text in spelled if len(text) >= _SECRET_LENGTH), key=len, reverse=True)

    def _key(self, variable: str) -> str:
        secret = os.environ.get(variable, "").strip()
        if not secret:
            raise ValueError(f"LLM {self._llm.name!r} needs its API key in the environment variable {variable}.")
        if not secret.isprintable():
            raise ValueError(f"The key in the environment variable {variable} has a line break or control character.")
        return secret

    def body(self, query: Query) -> bytes:
        """Return what is sent for a query."""
        return json.dumps({**self._body, "messages": [*self._body["messages"], *query.chat()]}).encode()

    def shown(self, text: str) -> str:
        """Return the beginning of an error in one line, without secrets: some servers quote the key they refuse."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        text = without_userinfo(" ".join(text[: 10 * _ERROR_LENGTH].split()))
        return text.encode(errors="replace").decode()[:_ERROR_LENGTH]

    def shown_reason(self, reason: str | None) -> str | None:
        """Return why an answer ended, which may be any text of a stranger, as it may be shown."""
        return printable(self.shown(reason))[:_REASON_LENGTH] if reason else None


class HTTPAnswerer:
    """The endpoints of a pool and the connections to them; belongs to the event loop that it is made on."""

    def __init__(self, endpoints: Sequence[Endpoint], *, max_in_flight: int, stream: bool) -> None:
        """Keep at most `max_in_flight` connections; they open at the first request and are kept for the next."""
        self._endpoints, self._stream = endpoints, stream
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=max_in_flight, keepalive_timeout=_KEEP_ALIVE_S, resolver=_DaemonResolver()
            ),
            auto_decompress=False,  # a few bytes can unpack to gigabytes
            headers={"Accept-Encoding": "identity"},
        )

    async def complete(self, llm: int, query: Query) -> Completion:
        """Send a query to an LLM, once, and read its answer.

        Raises:
            RequestError: There is none.
        """
        endpoint = self._endpoints[llm]
        try:
            completion = await self._post(endpoint, endpoint.body(query))
            return replace(completion, finish_reason=endpoint.shown_reason(completion.finish_reason))
        except RequestError as fault:
            raise RequestError(endpoint.shown(str(fault)), fault.kind, fault.retry_after_s) from None
        except _ANY_FAULT as error:
            raise RequestError(endpoint.shown(f"{type(error).__name__}: {error}"), _kind(error)) from None

    async def _post(self, endpoint: Endpoint, body: bytes) -> Completion:
        begun = time.perf_counter()
        # Prompt and key are for this address, whatever others it names.
        request = self._session.post(
            endpoint.url,
            data=body,
            headers=endpoint.headers,
            proxy=endpoint.proxy.url,
            proxy_auth=endpoint.proxy.auth,
            allow_redirects=False,
            timeout=endpoint.timeout,
        )
        async with request as response:
            if 300 <= response.status < 400:
                place = without_parameters(response.headers.get("Location", "nowhere"))
                raise StatusError(response.status, f"redirects to {place}; base_url must be the final address")
            if response.status != 200:
                text = (await _read(response.content, _ERROR_BYTES)).decode(errors="replace")
                raise StatusError(response.status, text, read_retry_after(response.headers.get("Retry-After")))
            if self._stream:
                async with aclosing(_lines(response.content)) as lines:
                    return await read_stream(lines, begun)
            answer = await _read(response.content, MOST_BYTES)
            if len(answer) > MOST_BYTES:
                raise _too_long()
            return read_whole(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


def http_answerer(pool: Pool, *, max_in_flight: int, stream: bool) -> Callable[[], HTTPAnswerer]:
    """Find a pool's endpoints and keys; return what opens connections to them.

    Raises:
        ServingError: The pool is not being served; names the command that serves it.
        ValueError: A key is missing, or none that can be sent.
    """
    urls = read_endpoints(pool)
    endpoints = [
        Endpoint(llm, urls[llm.name], stream=stream, deadline_s=llm.deadline_s or pool.deadline_s) for llm in pool.llms
    ]
    return lambda: HTTPAnswerer(endpoints, max_in_flight=max_in_flight, stream=stream)


def _kind(error: Exception) -> Kind:
    """Return what follows from what aiohttp raised."""
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientHttpProxyError):
        return Kind.LASTING
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Kind.UNSENT
    if isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | ConnectionError):
        return Kind.BROKEN
    return Kind.USELESS


class _DaemonResolver(AbstractResolver):
    """Looks names up in threads that end with the process: asyncio's own would hold up its exit for a slow look-up."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Any] = loop.create_future()

        def look_up() -> None:
            try:
                result: Any = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
            except OSError as error:
                result = error
            except UnicodeError as error:  # a name that cannot be one
                result = OSError(str(error))
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, found, result)

        threading.Thread(target=look_up, name="pickllm-dns", daemon=True).start()
        return [
            ResolveResult(
                hostname=host, host=place[0], port=place[1], family=kind, proto=proto, flags=socket.AI_NUMERICHOST
            )
            for kind, _, proto, _, place in await found
        ]

    async def close(self) -> None:
        pass


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
