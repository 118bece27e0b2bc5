"""Linear reward-inaction: updates computed by hand, and the invariants of the scheme."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def automaton(task, **changes):
    return make_agent("learning_automaton", task, **({"normaliser": "bounds", "threshold": 0.0} | changes))


def test_reward_moves_probability_to_the_arm_that_was_asked(make_task):
    agent = automaton(make_task(4), learning_rate=0.2)
    agent.update(None, 1, 0.5)
    # b r = 0.1: 0.25 + 0.1 * 0.75 for the arm asked, 0.25 - 0.1 * 0.25 for the others.
    np.testing.assert_allclose(agent.action_probabilities(None), [0.225, 0.325, 0.225, 0.225])


def test_zero_reward_changes_nothing(make_task):
    agent = automaton(make_task(4), learning_rate=0.9)
    agent.update(None, 1, 0.7)
    before = agent.action_probabilities(None)
    agent.update(None, 2, 0.0)
    np.testing.assert_array_equal(agent.action_probabilities(None), before)


def test_unit_vectors_are_absorbing(make_task):
    agent = automaton(make_task(3), learning_rate=0.5)
    agent.probabilities.array = np.array([[0.0, 1.0, 0.0]])
    for _ in range(50):
        agent.update(None, 1, 0.8)
    np.testing.assert_array_equal(agent.probabilities, [[0.0, 1.0, 0.0]])


def test_probabilities_keep_summing_to_one(make_task):
    rng = np.random.default_rng(0)
    agent = automaton(make_task(7), n_sessions=50, learning_rate=0.3)
    for _ in range(2000):
        agent.update(None, rng.integers(7, size=50), rng.random(50))
    np.testing.assert_allclose(agent.probabilities.array.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert (agent.probabilities.array >= 0).all()


def test_it_commits_at_the_threshold_and_stops_learning(make_task):
    agent = automaton(make_task(2), learning_rate=0.5, threshold=0.2)
    agent.update(None, 0, 1.0)
    assert agent.committed_action == -1
    agent.update(None, 0, 1.0)
    assert agent.committed_action == 0
    agent.update(None, 1, 1.0)
    np.testing.assert_array_equal(agent.probabilities, [[0.875, 0.125]])
    np.testing.assert_array_equal(agent.action_probabilities(None), [1, 0])
    np.testing.assert_array_equal(agent.action_probabilities(None, [0, 1]), [0, 1])


def test_running_max_divides_by_the_highest_reward_so_far(make_task):
    agent = make_agent("learning_automaton", make_task(2), learning_rate=0.5, normaliser="running_max")
    agent.update(None, 0, 4.0)
    np.testing.assert_allclose(agent.action_probabilities(None), [0.75, 0.25])
    agent.update(None, 1, 2.0)
    np.testing.assert_allclose(agent.action_probabilities(None), [0.5625, 0.4375])


def test_the_default_normaliser_learns_from_rewards_that_are_all_negative(make_task):
    """The additive reward of slow LLMs is; running_max would map every one of them to 0."""
    agent = make_agent("learning_automaton", make_task(2), learning_rate=0.5)
    agent.update(None, 0, -4.0)
    np.testing.assert_allclose(agent.action_probabilities(None), [0.5, 0.5])  # no range yet
    agent.update(None, 1, -2.0)
    np.testing.assert_allclose(agent.action_probabilities(None), [0.25, 0.75])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0.0),
        ("learning_rate", 1.0),
        ("threshold", -0.1),
        ("threshold", 1.0),
    ],
)
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"LearningAutomaton: {name} must be .*, got {value!r}"):
        make_agent("learning_automaton", make_task(), **{name: value})
