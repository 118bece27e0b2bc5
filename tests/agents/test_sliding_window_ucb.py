"""Sliding-window UCB: the index by hand, forgetting, and D6 of the theory for every agent that it is about."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

N_ROUNDS = 3000
STEADY = [(0.9, 0.5)] * N_ROUNDS
FAILING = [(0.9, 0.5)] * (N_ROUNDS // 2) + [(0.1, 0.5)] * (N_ROUNDS // 2)
FORGETTING = {
    "sliding_window_ucb": {"window": 300, "exploration": 0.6},
    "discounted_ucb": {"discount": 0.995, "exploration": 0.6},
}


def share_of_best(name, task, play, means, **hyperparameters):
    """Return how often, round by round, sessions ask the better of two arms whose means are given by round."""
    agent = make_agent(name, task, n_sessions=100, seed=0, normaliser="bounds", **hyperparameters)
    now = iter(np.array(means))

    def draw(action, rng):
        return (rng.random(len(action)) < next(now)[action]).astype(float)

    return (play(agent, draw, len(means)) == np.argmax(means, axis=1)[:, None]).mean(axis=1)


def test_index_counts_the_window_only(make_task, learn):
    agent = make_agent("sliding_window_ucb", make_task(2), window=3, exploration=0.6, normaliser="bounds")
    learn(agent, (0, 1.0), (1, 0.0), (0, 0.4), (1, 0.6))
    np.testing.assert_array_equal(agent.counts, [[1, 2]])
    width = np.sqrt(0.6 * np.log(3) / np.array([1, 2]))
    np.testing.assert_allclose(agent._indices(), np.array([[0.4, 0.3]]) + width)


def test_an_arm_that_left_the_window_is_asked_again(make_task, learn):
    agent = make_agent("sliding_window_ucb", make_task(2), window=2, normaliser="bounds")
    learn(agent, (0, 1.0), (1, 0.5), (1, 0.5))
    assert agent.select_action(None) == 0


@pytest.mark.parametrize("name", FORGETTING)
def test_forgetting_pays_when_the_best_arm_fails_and_costs_when_nothing_changes(name, make_task, play):
    failure = N_ROUNDS // 2
    ucb1 = share_of_best("ucb1", make_task(2), play, FAILING, c=2.0)[failure:].mean()
    forgetful = share_of_best(name, make_task(2), play, FAILING, **FORGETTING[name])[failure:].mean()
    assert forgetful > ucb1 + 0.1
    ucb1 = share_of_best("ucb1", make_task(2), play, STEADY, c=2.0).mean()
    forgetful = share_of_best(name, make_task(2), play, STEADY, **FORGETTING[name]).mean()
    assert forgetful < ucb1


def test_a_committed_automaton_never_leaves_an_arm_that_fails(make_task, play):
    share = share_of_best("learning_automaton", make_task(2), play, FAILING[1000:2000])
    assert share[400:500].mean() > 0.9
    assert share[500:].mean() < 0.1


@pytest.mark.parametrize(("name", "value"), [("window", 0), ("exploration", -1)])
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"SlidingWindowUCB: {name} must be .*, got {value!r}"):
        make_agent("sliding_window_ucb", make_task(), **{name: value})
