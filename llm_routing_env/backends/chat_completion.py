"""What an OpenAI-compatible server answers to a chat completion request, whole or as a stream of events."""

import json
import math
import time
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Any

_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
_MOST_TOKENS = 2**53


class AnswerError(Exception):
    """The server's answer is of no use; the message says why."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer.

    Attributes:
        text: What the LLM said.
        usage: (prompt tokens, completion tokens); None where the server did not count.
        ttft_s: Seconds to the first token, where known.
    """

    text: str
    usage: tuple[int, int] | None
    ttft_s: float | None


def read_whole(body: bytes) -> Completion:
    """Read an answer that came in one piece.

    Raises:
        AnswerError: It is no chat completion.
    """
    try:
        document = json.loads(body)
        message = document["choices"][0]["message"]
        ttft_s = _reported_ttft_s(document.get("metrics") or {})
        return Completion(_text(message), _usage(document.get("usage")), ttft_s)
    except _MALFORMED:
        raise _not_a_completion(body) from None


async def read_stream(lines: AsyncIterable[bytes], begun: float) -> Completion:
    """Read an answer that comes as server-sent events.

    Args:
        lines: The body, line by line.
        begun: When the request was sent, by `time.perf_counter`; the first token is what comes first with text.

    Raises:
        AnswerError: It is no chat completion, or breaks off.
    """
    parts: list[str] = []
    usage, ttft_s, data = None, None, b""
    async for line in lines:
        if not line.startswith(b"data:"):
            continue  # blank lines part the events; comments keep the connection alive
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return Completion("".join(parts), usage, ttft_s)
        try:
            event = json.loads(data)
            delta = event["choices"][0]["delta"] if event["choices"] else {}
            parts.append(_text(delta))
            usage = _usage(event.get("usage")) or usage
        except _MALFORMED:
            raise _not_a_completion(data) from None
        # The role alone may come before anything was computed; thoughts are tokens too.
        if ttft_s is None and any(value for key, value in delta.items() if key != "role"):
            ttft_s = time.perf_counter() - begun
    raise AnswerError(f"the stream of events broke off after: {data.decode(errors='replace') or 'nothing'}")


def _not_a_completion(body: bytes) -> AnswerError:
    return AnswerError(f"not a chat completion: {body.decode(errors='replace')}")


def _text(message: dict[str, Any]) -> str:
    # JSON can hold half of a surrogate pair, which can be neither stored nor printed.
    return str.encode(message.get("content") or "", errors="replace").decode()


def _usage(usage: dict[str, Any] | None) -> tuple[int, int] | None:
    return (_count(usage.get("prompt_tokens", 0)), _count(usage.get("completion_tokens", 0))) if usage else None


def _count(value: Any) -> int:
    count = int(value)
    if not 0 <= count < _MOST_TOKENS:
        raise ValueError(f"{count} tokens")
    return count


def _reported_ttft_s(metrics: dict[str, Any]) -> float | None:
    """Read what vLLM reports with --enable-per-request-metrics; its figure omits the time in the queue."""
    first_ms = metrics.get("time_to_first_token_ms")
    if first_ms is None:
        return None
    ttft_s = (float(first_ms) + float(metrics.get("queue_time_ms") or 0)) / 1000
    return ttft_s if 0 <= ttft_s < math.inf else None
