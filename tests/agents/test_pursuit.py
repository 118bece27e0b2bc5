"""Pursuit automaton, with values computed by hand."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def pursuit(task, **changes):
    settings = {"learning_rate": 0.2, "initial_pulls": 1, "normaliser": "bounds", "threshold": 0.0}
    return make_agent("pursuit", task, **(settings | changes))


@pytest.mark.parametrize(("scheme", "expected"), [("reward_penalty", [0.4, 0.6]), ("reward_inaction", [0.45, 0.55])])
def test_probability_follows_the_best_estimate_not_the_arm_that_was_asked(scheme, expected, make_task, learn):
    agent = pursuit(make_task(2), scheme=scheme)
    learn(agent, (0, 0.25))
    np.testing.assert_array_equal(agent.action_probabilities(None), [0, 1])
    learn(agent, (1, 0.5))
    # The step is 0.2, or 0.2 * 0.5, towards arm 1.
    np.testing.assert_allclose(agent.action_probabilities(None), expected)
    learn(agent, (0, 0.0))
    assert agent.action_probabilities(None)[1] >= expected[1]


def test_every_arm_is_asked_often_enough_first(make_task):
    agent = pursuit(make_task(4), initial_pulls=3, seed=0)
    actions = []
    for _ in range(12):
        actions.append(agent.select_action(None))
        agent.update(None, actions[-1], 0.5)
    np.testing.assert_array_equal(np.bincount(actions), [3, 3, 3, 3])


def test_an_unavailable_arm_does_not_hold_up_the_others(make_task, learn):
    agent = pursuit(make_task(3))
    learn(agent, (0, 0.2), (1, 0.9))
    np.testing.assert_array_equal(agent.action_probabilities(None), [0, 0, 1])
    np.testing.assert_array_equal(agent.action_probabilities(None, [1, 1, 0]), [0.5, 0.5, 0])


def test_it_pursues_the_best_of_the_arms_that_are_available(make_task):
    agent = pursuit(make_task(3, reward_bounds=(-1.0, 0.0)), scheme="reward_penalty", seed=0)
    for _ in range(2):
        action = agent.select_action(None, [1, 1, 0])
        agent.update(None, action, [-0.9, -0.5][action])
    # Both were asked once; the step is 0.2, towards arm 1.
    np.testing.assert_allclose(agent.probabilities, [[0.8 / 3, 0.8 / 3 + 0.2, 0.8 / 3]])


def test_it_commits_to_the_better_arm_more_often_than_reward_inaction(make_task, bernoulli, play):
    shares = {}
    for name, changes in (("pursuit", {"initial_pulls": 10}), ("learning_automaton", {})):
        agent = make_agent(
            name, make_task(2), n_sessions=1000, seed=0, learning_rate=0.2, normaliser="bounds", **changes
        )
        play(agent, bernoulli(0.8, 0.6), 2000, stop_when_committed=True)
        shares[name] = (agent.committed_action == 0).mean()
    assert shares["pursuit"] > shares["learning_automaton"] + 0.03


@pytest.mark.parametrize(
    ("name", "value"), [("learning_rate", 0.0), ("scheme", "both"), ("initial_pulls", 0), ("threshold", 1.0)]
)
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"Pursuit: {name} must be .*, got {value!r}"):
        make_agent("pursuit", make_task(), **{name: value})
