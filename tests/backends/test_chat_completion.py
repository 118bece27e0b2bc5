"""What servers answer, and what is made of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from llm_routing_env.backends.chat_completion import Completion, read_stream, read_whole
from llm_routing_env.backends.faults import AnswerError, StatusError
from llm_routing_env.backends.usage import Usage

USAGE = {"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}
SAYS = {"choices": [{"delta": {"content": "13"}, "finish_reason": None}]}
STOPS = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
COUNTS = {"choices": [], "usage": USAGE}


def streamed(*events: Any) -> Completion:
    async def lines() -> AsyncIterator[bytes]:
        for event in events:
            yield b"data: " + (event.encode() if isinstance(event, str) else json.dumps(event).encode())

    return asyncio.run(read_stream(lines(), 0.0))


def test_a_stream_that_has_said_all_needs_no_last_word():
    done, without = streamed(SAYS, STOPS, COUNTS, "[DONE]"), streamed(SAYS, STOPS, COUNTS)
    assert (without.text, without.usage) == (done.text, done.usage) == ("13", Usage(20, 5))


@pytest.mark.parametrize("events", [(SAYS,), (SAYS, STOPS), (SAYS, COUNTS)])
def test_a_stream_that_breaks_off_is_no_answer(events: tuple[Any, ...]):
    with pytest.raises(AnswerError, match="broke off"):
        streamed(*events)


@pytest.mark.parametrize(("code", "passes"), [(429, True), ("503", True), (400, False)])
def test_an_error_under_status_200_has_the_status_that_it_names(code: Any, passes: bool):
    error = {"error": {"message": "Rate limit exceeded", "code": code}}
    for read in (lambda: read_whole(json.dumps(error).encode()), lambda: streamed(SAYS, error)):
        with pytest.raises(StatusError, match=f"HTTP {code}: Rate limit exceeded") as raised:
            read()
        assert raised.value.kind.may_pass == passes


@pytest.mark.parametrize("error", [{"message": "no", "code": "model_not_found"}, "no", {"code": 7}, {"code": 4290}])
def test_another_error_is_no_chat_completion(error: Any):
    with pytest.raises(AnswerError, match="not a chat completion"):
        read_whole(json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    "content",
    [
        "13",
        [{"type": "text", "text": "1"}, {"type": "text", "text": "3"}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "12 + 1"}]}, {"type": "text", "text": "13"}],
        [{"type": "output_text", "text": "13"}, {"type": "refusal", "refusal": "no"}],
    ],
)
def test_the_parts_of_a_content_are_one_text_without_thoughts(content: Any):
    message = {"role": "assistant", "content": content}
    body = json.dumps({"choices": [{"message": message}], "usage": USAGE}).encode()
    assert read_whole(body).text == "13"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"finish_reason": "length"}, "length"),
        ({"finish_reason": None}, None),
        ({}, None),
        ({"finish_reason": "x" * 100}, "x" * 100),
    ],
)
def test_why_the_llm_stopped_is_read(choice: Any, expected: str | None):
    body = {"choices": [{"message": {"content": "The answer is th"}, **choice}], "usage": USAGE}
    assert read_whole(json.dumps(body).encode()).finish_reason == expected
    events = (SAYS, {"choices": [{"delta": {}, **choice}]}, COUNTS, "[DONE]")
    assert streamed(*events).finish_reason == expected
