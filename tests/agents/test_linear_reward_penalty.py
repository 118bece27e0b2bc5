"""Linear reward-penalty: updates by hand, and where its probabilities settle (D2 of the theory)."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def automaton(task, **changes):
    return make_agent("linear_reward_penalty", task, **({"normaliser": "bounds"} | changes))


def test_reward_and_penalty_move_probability_both_ways(make_task):
    agent = automaton(make_task(3), learning_rate=0.2, penalty_ratio=0.5)
    agent.probabilities.array = np.array([[0.5, 0.3, 0.2]])
    agent.update(None, 0, 0.75)
    # gain 0.15, loss 0.025: 0.5 + 0.15 * 0.5 - 0.025 * 0.5, and p - 0.15 p + 0.025 (0.5 - p) for the others.
    np.testing.assert_allclose(agent.action_probabilities(None), [0.5625, 0.26, 0.1775])


def test_without_penalty_it_is_reward_inaction(make_task):
    rng = np.random.default_rng(0)
    agent = automaton(make_task(4), learning_rate=0.2, penalty_ratio=0.0)
    inaction = make_agent("learning_automaton", make_task(4), learning_rate=0.2, normaliser="bounds", threshold=0.0)
    for _ in range(100):
        action, reward = int(rng.integers(4)), rng.random()
        agent.update(None, action, reward)
        inaction.update(None, action, reward)
    np.testing.assert_allclose(agent.probabilities, inaction.probabilities, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("penalties", "step"), [((0.2, 0.4, 0.5), 0.05), ((0.3, 0.6), 0.05), ((0.3, 0.6), 0.4)])
def test_probabilities_settle_inversely_to_the_penalties(penalties, step, make_task, bernoulli, play):
    n_sessions = 2000
    agent = automaton(make_task(len(penalties)), learning_rate=step, penalty_ratio=1.0, n_sessions=n_sessions, seed=0)
    actions = play(agent, bernoulli(*(1 - np.array(penalties))), 400)[200:]
    shares = np.bincount(actions.ravel(), minlength=len(penalties)) / actions.size
    expected = (1 / np.array(penalties)) / (1 / np.array(penalties)).sum()
    np.testing.assert_allclose(shares, expected, atol=0.01)


def test_it_is_never_absorbed(make_task, learn):
    agent = automaton(make_task(2), learning_rate=0.5, penalty_ratio=0.1)
    learn(agent, *[(0, 1.0)] * 100, *[(0, 0.0)] * 30)
    assert agent.committed_action == -1
    assert agent.action_probabilities(None)[1] > 0.5


@pytest.mark.parametrize(("name", "value"), [("learning_rate", 1.0), ("penalty_ratio", 1.5)])
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"LinearRewardPenalty: {name} must be .*, got {value!r}"):
        make_agent("linear_reward_penalty", make_task(), **{name: value})
