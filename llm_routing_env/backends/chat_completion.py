"""What an OpenAI-compatible server answers to a chat completion request, whole or as a stream of events."""

import json
import math
import time
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import Any

from llm_routing_env.backends.faults import AnswerError, StatusError
from llm_routing_env.backends.usage import Usage, read_usage

_MALFORMED = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer.

    Attributes:
        text: What the LLM said.
        usage: What it read and wrote; None where the server did not count.
        ttft_s: Seconds to the first token, where known.
        finish_reason: Why the LLM stopped, where the server says; whole, since half of a key could not be found.
        latency_s: How long the LLM took, where it says so itself; None: as long as the request.
    """

    text: str
    usage: Usage | None
    ttft_s: float | None
    finish_reason: str | None = None
    latency_s: float | None = None


class UncountedError(AnswerError):
    """The answer is whole, but what it cost is not told.

    Attributes:
        completion: The answer.
    """

    def __init__(self, completion: Completion) -> None:
        """Keep the answer, which is paid for."""
        super().__init__("the response has no usage, so its tokens and cost are unknown")
        self.completion = completion


def read_whole(body: bytes) -> Completion:
    """Read an answer that came in one piece.

    Raises:
        AnswerError: It is no chat completion.
        StatusError: It is an error with an HTTP status of its own, as proxies send them under a status of 200.
    """
    try:
        document = json.loads(body)
        _raise_status(document)
        choice = document["choices"][0]
        ttft_s = _reported_ttft_s(document.get("metrics") or {})
        usage = read_usage(document.get("usage"))
        return Completion(_text(choice["message"]), usage, ttft_s, _finish_reason(choice))
    except _MALFORMED:
        raise _not_a_completion(body) from None


async def read_stream(lines: AsyncIterable[bytes], begun: float) -> Completion:
    """Read an answer that comes as server-sent events.

    Args:
        lines: The body, line by line.
        begun: When the request was sent, by `time.perf_counter`; the first token is what comes first with text.

    Raises:
        AnswerError: It is no chat completion, or breaks off.
        StatusError: See `read_whole`.
    """
    parts: list[str] = []
    usage, ttft_s, data, finish_reason = None, None, b"", None
    async for line in lines:
        if not line.startswith(b"data:"):
            continue  # blank lines part the events; comments keep the connection alive
        data = line.removeprefix(b"data:").strip()
        if data == b"[DONE]":
            return Completion("".join(parts), usage, ttft_s, finish_reason)
        try:
            event = json.loads(data)
            _raise_status(event)
            if event.get("error") and not event.get("choices"):
                raise ValueError("an error")
            choice = (event.get("choices") or [{}])[0]  # usage and pings come without
            delta, finish_reason = choice.get("delta") or {}, _finish_reason(choice) or finish_reason
            parts.append(_text(delta))
            usage = read_usage(event.get("usage")) or usage
        except _MALFORMED:
            raise _not_a_completion(data) from None
        # The role alone may come before anything was computed; thoughts are tokens too.
        if ttft_s is None and any(value for key, value in delta.items() if key != "role"):
            ttft_s = time.perf_counter() - begun
    if finish_reason and usage:  # all that is missing is the word that it is all
        return Completion("".join(parts), usage, ttft_s, finish_reason)
    raise AnswerError(f"the stream of events broke off after: {data.decode(errors='replace') or 'nothing'}")


def _not_a_completion(body: bytes) -> AnswerError:
    return AnswerError(f"not a chat completion: {body.decode(errors='replace')}")


def _raise_status(document: dict[str, Any]) -> None:
    """Raise StatusError for an error that says which HTTP status it would have."""
    error = None if document.get("choices") else document.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int | str) and str(code).isdecimal() and 400 <= int(code) < 600:
        raise StatusError(int(code), str(error.get("message")) if isinstance(error, dict) else "")


def _text(message: dict[str, Any]) -> str:
    """Return what a message says, without thoughts; some servers send its content as parts of several kinds."""
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part.get("type") in ("text", "output_text"))
    # JSON can hold half of a surrogate pair, which can be neither stored nor printed.
    return str.encode(content, errors="replace").decode()


def _finish_reason(choice: dict[str, Any]) -> str | None:
    reason = choice.get("finish_reason")
    return str(reason).encode(errors="replace").decode() if reason else None


def _reported_ttft_s(metrics: dict[str, Any]) -> float | None:
    """Read what vLLM reports with --enable-per-request-metrics; its figure omits the time in the queue."""
    first_ms = metrics.get("time_to_first_token_ms")
    if first_ms is None:
        return None
    ttft_s = (float(first_ms) + float(metrics.get("queue_time_ms") or 0)) / 1000
    return ttft_s if 0 <= ttft_s < math.inf else None
