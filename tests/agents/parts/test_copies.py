"""Copies of a query: those that look alike and ask the same."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.copies import copy_groups

SEEN = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1e-12], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("observations", "prompts", "expected"),
    [
        (SEEN, None, [1, 1, 1, 0]),
        (SEEN, [7, 7, 3, 7], [2, 2, 1, 0]),
        (SEEN, [0, 1, 2, 3], [1, 2, 3, 0]),
        (np.array(["b", "a", "b", "a"], dtype=object), None, [1, 0, 1, 0]),
    ],
)
def test_copies_look_alike_and_have_the_same_prompt(observations, prompts, expected):
    groups = copy_groups(observations, None if prompts is None else np.array(prompts))
    np.testing.assert_array_equal(groups, expected)
