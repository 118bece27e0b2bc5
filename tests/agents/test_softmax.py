"""Boltzmann exploration."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_probabilities_are_exponential_in_the_mean_reward(make_task, learn):
    agent = make_agent("softmax", make_task(2), temperature=0.5, normaliser="bounds")
    learn(agent, (0, 0.2), (0, 0.4), (1, 0.8))
    weights = np.exp([0.3 / 0.5, 0.8 / 0.5])
    np.testing.assert_allclose(agent.action_probabilities(None), weights / weights.sum())


def test_untried_arms_count_as_the_best(make_task, learn):
    agent = make_agent("softmax", make_task(2), temperature=0.1, normaliser="bounds")
    learn(agent, (0, 0.5))
    assert agent.action_probabilities(None)[1] == pytest.approx(1 / (1 + np.exp(-5)))


def test_temperature_must_be_positive(make_task):
    with pytest.raises(ValueError, match=r"Softmax: temperature must be positive, got 0\.0"):
        make_agent("softmax", make_task(), temperature=0.0)
