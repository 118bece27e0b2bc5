"""Explore-then-commit."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_it_asks_each_arm_equally_often_and_then_the_best(make_task):
    agent = make_agent("explore_then_commit", make_task(3), pulls_per_arm=2, seed=0)
    rewards, actions = [0.1, 0.7, 0.4], []
    for _ in range(6):
        assert agent.committed_action == -1
        actions.append(agent.select_action(None))
        agent.update(None, actions[-1], rewards[actions[-1]])
    np.testing.assert_array_equal(np.bincount(actions), [2, 2, 2])
    assert agent.select_action(None) == agent.committed_action == 1


def test_later_rewards_do_not_change_its_mind(make_task, learn):
    agent = make_agent("explore_then_commit", make_task(2), pulls_per_arm=1)
    learn(agent, (0, 1.0), (1, 0.0), *[(0, -5.0)] * 10)
    assert agent.select_action(None) == 0


def test_an_unavailable_arm_does_not_keep_it_from_using_what_it_knows(make_task, learn):
    agent = make_agent("explore_then_commit", make_task(3), pulls_per_arm=1)
    learn(agent, (0, 0.2), (1, 0.9))
    assert agent.select_action(None, [1, 1, 0]) == 1


def test_it_commits_without_an_arm_that_is_not_available(make_task):
    agent = make_agent("explore_then_commit", make_task(3), pulls_per_arm=2, seed=0)
    for _ in range(4):
        assert agent.committed_action == -1
        action = agent.select_action(None, [1, 1, 0])
        agent.update(None, action, [-2.0, -1.0][action])
    assert agent.committed_action == 1


def test_it_waits_for_an_arm_that_is_away_for_a_while(make_task):
    agent = make_agent("explore_then_commit", make_task(2), pulls_per_arm=2, seed=0)
    for mask, reward in (([0, 1], 0.9), ([1, 0], 0.4), ([1, 0], 0.4)):
        agent.update(None, agent.select_action(None, mask), reward)
    assert agent.committed_action == -1
    agent.update(None, agent.select_action(None), 0.9)
    assert agent.committed_action == 1


def test_too_few_pulls_are_refused(make_task):
    with pytest.raises(ValueError, match="ExploreThenCommit: pulls_per_arm must be a whole number, at least 1, got 0"):
        make_agent("explore_then_commit", make_task(), pulls_per_arm=0)
