"""UCB1: the index by hand, and D3 of the theory."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

MEANS = (0.6, 0.5, 0.45, 0.4)
HORIZON = 10_000


def test_index_is_mean_plus_confidence_width(make_task, learn):
    agent = make_agent("ucb1", make_task(2), normaliser="bounds", c=2.0)
    learn(agent, (0, 0.2), (0, 0.4), (1, 0.5))
    np.testing.assert_allclose(agent._indices(), [[0.3 + np.sqrt(np.log(3)), 0.5 + np.sqrt(2 * np.log(3))]])


def test_time_goes_on_while_rewards_are_still_to_come(make_task):
    agent = make_agent("ucb1", make_task(2), normaliser="bounds", c=2.0)
    for _ in range(5):
        agent.select_action(None)
    agent.update(None, 0, 0.5)
    agent.update(None, 1, 0.5)
    np.testing.assert_allclose(agent._indices(), np.full((1, 2), 0.5 + np.sqrt(2 * np.log(5))))


def test_sessions_may_be_at_different_times(make_task):
    agent = make_agent("ucb1", make_task(2), n_sessions=2, normaliser="bounds", c=2.0)
    for arm in (0, 1):
        agent.update(None, [arm, arm], [0.5, 0.5])
    agent.n_selected.array = np.array([2, 9])
    np.testing.assert_allclose(agent._indices()[:, 0], 0.5 + np.sqrt(2 * np.log([2, 9])))


def test_untried_arms_come_first(make_task):
    agent = make_agent("ucb1", make_task(5), normaliser="bounds", seed=0)
    asked = set()
    for _ in range(5):
        action = agent.select_action(None)
        asked.add(action)
        agent.update(None, action, 1.0)
    assert len(asked) == 5


def test_regret_is_logarithmic_and_below_its_bound(make_task, bernoulli, play, regret):
    gaps = 0.6 - np.array(MEANS[1:])
    bound = (8 * np.log(HORIZON) / gaps).sum() + (1 + np.pi**2 / 3) * gaps.sum()
    assert bound == pytest.approx(1598, abs=1)
    agent = make_agent("ucb1", make_task(4), n_sessions=200, seed=0, normaliser="bounds", c=2.0)
    curve = regret(play(agent, bernoulli(*MEANS), HORIZON), MEANS)
    assert curve[-1] == pytest.approx(214, abs=12)
    # Twice the time adds about ln 2 / ln T, not as much again.
    assert curve[-1] / curve[HORIZON // 2 - 1] < 1.35


def test_c_must_not_be_negative(make_task):
    with pytest.raises(ValueError, match="UCB1: c must be at least 0, got -1"):
        make_agent("ucb1", make_task(), c=-1)


def test_a_reward_that_comes_late_may_be_for_an_arm_that_the_last_mask_excludes(make_task):
    agent = make_agent("ucb1", make_task(3))
    for mask in ([0, 0, 1], [1, 1, 0]):
        agent.select_action(None, mask)
    agent.update(None, 0, 0.5)
    agent.update(None, 2, 0.7)
    assert agent.arms.counts.array.tolist() == [[1, 0, 1]]
    agent.select_action(None, [1, 1, 0])
    with pytest.raises(ValueError, match="one that the mask of the last select_action allowed"):
        agent.update(None, 2, 0.7)
