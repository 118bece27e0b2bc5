"""Gradient bandit, with values computed by hand."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_preferences_follow_the_reward_above_the_mean(make_task, learn):
    agent = make_agent("gradient_bandit", make_task(2), step_size=0.4)
    learn(agent, (0, 1.0))
    np.testing.assert_array_equal(agent.preferences, [[0, 0]])
    learn(agent, (1, 3.0))
    # The mean is 2, so the step is 0.4 * (3 - 2): half of it away from each arm, all of it to arm 1.
    np.testing.assert_allclose(agent.preferences, [[-0.2, 0.2]])


def test_an_arm_that_is_not_available_keeps_its_preference(make_task):
    agent = make_agent("gradient_bandit", make_task(3), step_size=0.4)
    for action, reward in ((0, 1.0), (1, 3.0)):
        agent.select_action(None, [1, 1, 0])
        agent.update(None, action, reward)
    np.testing.assert_allclose(agent.preferences, [[-0.2, 0.2, 0]])


@pytest.mark.parametrize("shift", [-7.0, 100.0])
def test_adding_a_constant_to_the_rewards_changes_nothing(shift, make_task, learn):
    rng = np.random.default_rng(0)
    experience = list(zip(rng.integers(3, size=50).tolist(), rng.random(50), strict=True))
    agent, shifted = (make_agent("gradient_bandit", make_task(3)) for _ in range(2))
    learn(agent, *experience)
    learn(shifted, *[(action, reward + shift) for action, reward in experience])
    np.testing.assert_allclose(agent.preferences, shifted.preferences, rtol=0, atol=1e-10)


def test_step_size_must_be_positive(make_task):
    with pytest.raises(ValueError, match="GradientBandit: step_size must be positive, got -1"):
        make_agent("gradient_bandit", make_task(), step_size=-1)
