"""Every shape of usage that was seen: what is billed is what is counted, and what is not told is not taken for 0."""

from typing import Any

import pytest

from llm_routing_env.backends.usage import read_usage


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
    assert read_usage(usage) == tokens


@pytest.mark.parametrize("count", [-1, 2**53, "many"])
def test_what_is_no_count_is_refused(count: Any):
    with pytest.raises(ValueError, match=r"tokens|invalid literal"):
        read_usage({"prompt_tokens": count, "completion_tokens": 1})
