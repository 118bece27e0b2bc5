"""Discounted UCB: the index by hand; how it follows drift is tested with sliding-window UCB."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_old_rewards_weigh_less(make_task, learn):
    agent = make_agent("discounted_ucb", make_task(2), discount=0.5, exploration=0.6, normaliser="bounds")
    learn(agent, (0, 1.0), (0, 0.4), (1, 0.6))
    np.testing.assert_allclose(agent.counts, [[0.75, 1]])
    np.testing.assert_allclose(agent.sums, [[0.45, 0.6]])
    width = 2 * np.sqrt(0.6 * np.log(1.75) / np.array([0.75, 1]))
    np.testing.assert_allclose(agent._indices(), [0.6 + width])


@pytest.mark.parametrize(("name", "value"), [("discount", 1.0), ("exploration", -1)])
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"DiscountedUCB: {name} must be .*, got {value!r}"):
        make_agent("discounted_ucb", make_task(), **{name: value})
