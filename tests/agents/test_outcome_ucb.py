"""KL-UCB on outcomes; what it shares with the other agents on outcomes is tested in parts."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def outcome(accuracy, cost_usd):
    return {"accuracy": accuracy, "cost_usd": cost_usd, "latency_s": 1.0}


def test_the_index_is_the_reward_at_the_highest_plausible_accuracy(make_task):
    """A right answer of the second LLM is worth half: it is asked while its bound is above twice the other's."""

    def reward(accuracy, cost_usd, latency_s):
        return accuracy * np.where(cost_usd > 1.5e-3, 0.5, 1.0)

    agent = make_agent("outcome_ucb", make_task(2, 1, reward=reward), prior_accuracy=0.0, prior_pulls=1e-9)
    agent.exploration = 1.0
    for arm, right, cost_usd in [(0, 0.0, 1e-3)] * 6 + [(1, 1.0, 2e-3)] * 3:
        agent.update([1.0], arm, right * (0.5 if arm else 1.0), outcome(right, cost_usd))
    # After n wrong answers the highest q has -n ln(1 - q) = ln t; t = 10 gives 1 - 10^(-1/6) = 0.32 below 0.5.
    assert agent.select_action([1.0]) == 1
    # With t = 100 it is 1 - 100^(-1/6) = 0.54: more than the other can be.
    agent.n_selected.now = 99
    assert agent.select_action([1.0]) == 0


def test_equal_indices_are_drawn_from(make_task):
    agent = make_agent("outcome_ucb", make_task(4, 1), price_slope=0.0)
    np.testing.assert_allclose(agent.action_probabilities([1.0]), 0.25)


def test_a_negative_exploration_is_refused(make_task):
    with pytest.raises(ValueError, match=r"OutcomeUCB: exploration must be at least 0, got -1\.0"):
        make_agent("outcome_ucb", make_task(), exploration=-1.0)
