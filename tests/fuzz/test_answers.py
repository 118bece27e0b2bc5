"""What servers answer, damaged or odd: it becomes an outcome that every table can hold, or a reason why not."""

import json
import math
from random import Random

from mutations import damaged, fuzz, odd

from llm_routing_env.backends.chat_completion import Completion, read_stream, read_whole
from llm_routing_env.backends.faults import RequestError
from llm_routing_env.backends.usage import Usage
from llm_routing_env.pools.pool import LLMSpec

WHOLE = {
    "choices": [{"message": {"role": "assistant", "content": "Dürer."}, "finish_reason": "stop"}],
    "usage": {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
    "metrics": {"time_to_first_token_ms": 12.0, "queue_time_ms": 3.0},
}
EVENTS = [
    {"choices": [{"delta": {"role": "assistant"}}]},
    {"choices": [{"delta": {"content": "Dü"}}]},
    {"choices": [{"delta": {"content": "rer."}}], "usage": None},
    {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}},
]
LLM = LLMSpec("a", 1.0, 2.0, cached_price_usd_per_mtok=0.5)


def read_or_no_use(read):
    """Read an answer; what is read fits a table, a file and a terminal."""
    try:
        completion: Completion = read()
    except RequestError:
        return
    completion.text.encode()
    usage = completion.usage or Usage(0, 0)
    assert all(type(count) is int and 0 <= count < 2**54 for count in usage)
    assert usage.cached_tokens <= usage.prompt_tokens
    assert usage.reasoning_tokens <= usage.completion_tokens
    cost_usd = LLM.cost_usd(usage.prompt_tokens, usage.completion_tokens, 1.0, cached_tokens=usage.cached_tokens)
    assert 0 <= cost_usd < math.inf
    assert completion.finish_reason is None or completion.finish_reason.encode()
    assert completion.ttft_s is None or 0 <= completion.ttft_s < math.inf


def read_lines(lines):
    async def feed():
        for line in lines:
            yield line

    try:
        read_stream(feed(), 0.0).send(None)  # nothing is waited for, so no event loop is needed
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits for something else")


def stream(events):
    return b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"


def test_damaged_answers_are_read_or_refused():
    fuzz(lambda seed: read_or_no_use(lambda: read_whole(damaged(json.dumps(WHOLE).encode(), seed))))


def test_odd_answers_are_read_or_refused():
    fuzz(lambda seed: read_or_no_use(lambda: read_whole(json.dumps(odd(WHOLE, seed)).encode())))


def test_deeply_nested_answers_are_refused():
    for body in (b"[" * 10**6, b'{"a":' * 10**6, b'{"choices": ' + b"[" * 10**5):
        read_or_no_use(lambda body=body: read_whole(body))
        read_or_no_use(lambda body=body: read_lines([b"data: " + body + b"\n"]))


def test_damaged_streams_are_read_or_refused():
    fuzz(lambda seed: read_or_no_use(lambda: read_lines(damaged(stream(EVENTS), seed).splitlines(keepends=True))))


def test_odd_streams_are_read_or_refused():
    def check(seed):
        events = list(EVENTS)
        index = Random(seed).randrange(len(events))
        events[index] = odd(events[index], seed)
        read_or_no_use(lambda: read_lines(stream(events).splitlines(keepends=True)))

    fuzz(check)
