"""Uniform choice."""

import numpy as np

from llm_routing_env.agents import make_agent


def test_every_arm_is_equally_likely_whatever_the_rewards(make_task):
    agent = make_agent("random", make_task())
    agent.update(None, 0, 5.0)
    np.testing.assert_array_equal(agent.action_probabilities(None), [0.25] * 4)
    np.testing.assert_array_equal(agent.action_probabilities(None, [1, 1, 0, 0]), [0.5, 0.5, 0, 0])
