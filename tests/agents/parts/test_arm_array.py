"""Numbers per session and arm: the same by hand, for one session in plain numbers and for many in arrays."""

import numpy as np
import pytest

from llm_routing_env.agents import RoutingTask, make_agent
from llm_routing_env.agents.parts.arm_array import OneSession, by_session, per_arm

ROW = [0.1, 0.4, 0.3, 0.2]


@pytest.fixture(params=[1, 3])
def several(request):
    """Return how many sessions there are, and an array with the same row for each."""
    return request.param, by_session(np.tile(ROW, (request.param, 1)))


def test_one_session_is_held_in_plain_numbers():
    one, many = per_arm(1, 2, 0.5), per_arm(3, 2, 0.5)
    assert isinstance(one, OneSession)
    assert type(one[np.array([1])]) is float
    np.testing.assert_array_equal(one, [[0.5, 0.5]])
    np.testing.assert_array_equal(many, np.full((3, 2), 0.5))


def test_a_rule_reads_as_in_the_textbook_and_changes_each_session_by_its_own_number():
    action, step = np.array([1, 0, 3]), np.array([0.5, 0.2, 0.0])
    many = by_session(np.tile(ROW, (3, 1)))
    many *= 1 - step
    many[action] += step
    np.testing.assert_allclose(many, [[0.05, 0.7, 0.15, 0.1], [0.28, 0.32, 0.24, 0.16], ROW])
    np.testing.assert_allclose(many[action], [0.7, 0.28, 0.2])
    one = by_session(np.array([ROW]))
    one *= 1 - step[0]
    one[action[:1]] += step[0]
    np.testing.assert_array_equal(one, many.array[:1])


def test_adding_takes_numbers_and_arrays(several):
    n_sessions, array = several
    array += 0.5
    array -= by_session(np.full((n_sessions, 4), 0.25))
    np.testing.assert_allclose(array, np.tile([0.35, 0.65, 0.55, 0.45], (n_sessions, 1)))
    array -= np.full(n_sessions, 0.25)
    np.testing.assert_allclose(array, np.tile(ROW, (n_sessions, 1)))


def test_highest_number_and_the_first_arm_that_has_it(several):
    n_sessions, array = several
    array[np.zeros(n_sessions, dtype=int) + 3] = np.full(n_sessions, 0.4)
    np.testing.assert_array_equal(array.max(), 0.4)
    np.testing.assert_array_equal(array.argmax(), 1)


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [(None, [0.05, 0.85, 0.05, 0.05]), ([True, False, True, False], [0.1, 0.0, 0.9, 0.0])],
)
def test_greedy_choice_leaves_epsilon_to_all_that_are_allowed(allowed, expected, several):
    n_sessions, array = several
    mask = None if allowed is None else np.tile(allowed, (n_sessions, 1))
    np.testing.assert_allclose(array.greedy(0.2, mask), np.tile(expected, (n_sessions, 1)))


def test_each_session_may_have_an_epsilon_of_its_own():
    mixed = by_session(np.array([[1.0, 1.0], [0.0, 1.0]])).greedy(np.array([0.3, 0.5]))
    np.testing.assert_allclose(mixed, [[0.5, 0.5], [0.25, 0.75]])


@pytest.mark.parametrize("n_sessions", [1, 20_000])
def test_sample_follows_the_probabilities_and_avoids_zeros(n_sessions):
    rng = np.random.default_rng(0)
    weights = by_session(np.tile([0.0, 0.5, 0.0, 1.5, 0.0], (n_sessions, 1)))
    drawn = [weights.sample(rng) for _ in range(20_000 // n_sessions)]
    counts = np.bincount(np.ravel(drawn), minlength=5)
    assert counts[[0, 2, 4]].sum() == 0
    np.testing.assert_allclose(counts / 20_000, [0, 0.25, 0, 0.75, 0], atol=0.01)


def test_an_action_array_that_is_used_again_teaches_about_its_new_arms():
    task = RoutingTask(3, 0, ("a", "b", "c"), (1.0, 1.0, 1.0), (0.0, 1.0))
    agent = make_agent("ucb1", task, n_sessions=4, seed=0)
    action = np.zeros(4, dtype=np.int64)
    for arms in ([0, 1, 2, 0], [1, 1, 0, 2]):
        agent.select_action(None)
        action[:] = arms
        agent.update(None, action, np.ones(4))
    np.testing.assert_array_equal(agent.arms.counts.array, [[1, 1, 0], [0, 2, 0], [1, 0, 1], [1, 0, 1]])


def test_an_array_of_ones_own_is_looked_up_anew_and_stays_writable():
    numbers, action = per_arm(2, 3, 1.0), np.array([0, 2])
    numbers[action] += 1.0
    action[0] = 1
    numbers[action] += 1.0
    np.testing.assert_array_equal(numbers.array, [[2, 2, 1], [1, 1, 3]])
