"""Every shape of usage that was seen: what is billed is what is counted, and what is not told is not taken for 0."""

from typing import Any

import pytest

from llm_routing_env.backends.usage import Usage, read_usage


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}, (20, 5)),
        ({"prompt_tokens": 20, "completion_tokens": 5}, (20, 5)),
        ({"input_tokens": 20, "output_tokens": 5}, (20, 5)),
        # 500 tokens of reasoning beside the 5 of the answer
        ({"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 525}, (20, 505)),
        ({"prompt_tokens": 20, "completion_tokens": 505, "total_tokens": 525}, (20, 505)),
        ({"prompt_tokens": 20, "total_tokens": 25}, (20, 5)),
        ({"completion_tokens": 5, "total_tokens": 25}, (20, 5)),
        ({"prompt_tokens": 20, "completion_tokens": None, "total_tokens": 25}, (20, 5)),
        ({"prompt_tokens": 20, "completion_tokens": 0}, (20, 0)),
        ({"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 3}, (20, 5)),
        ({"prompt_tokens": 20}, None),
        ({"total_tokens": 25}, None),
        ({"cost": 0.1}, None),
        ({}, None),
        (None, None),
    ],
)
def test_shapes(usage: dict[str, Any] | None, tokens: tuple[int, int] | None):
    found = read_usage(usage)
    assert (None if found is None else found[:2]) == tokens


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # OpenAI: parts of the counts
        ({"prompt_tokens": 2000, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 1920}}, (1920, 0)),
        ({"input_tokens": 2000, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 1920}}, (1920, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 44}}, (0, 44)),
        ({"input_tokens": 9, "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 44}}, (0, 44)),
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": None}, (0, 0)),
        # DeepSeek
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 7}, (7, 0)),
        # more than there are cannot be cached
        ({"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 70}, (9, 0)),
    ],
)
def test_cached_tokens_and_thoughts(usage: dict[str, Any], expected: tuple[int, int]):
    found = read_usage(usage)
    assert found is not None
    assert found[2:] == expected


def test_anthropic_counts_what_its_cache_read_and_wrote_beside_the_input():
    usage = {"input_tokens": 20, "output_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 30}
    assert read_usage(usage) == Usage(150, 5, cached_tokens=100)


@pytest.mark.parametrize("count", [-1, 2**53, "many"])
def test_what_is_no_count_is_refused(count: Any):
    with pytest.raises(ValueError, match=r"tokens|invalid literal"):
        read_usage({"prompt_tokens": count, "completion_tokens": 1})
