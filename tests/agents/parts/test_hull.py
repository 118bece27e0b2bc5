"""The front of assignments, against all of them; OptLLM's search, against the front."""

import itertools

import numpy as np
import pytest

from llm_routing_env.agents.parts.destroy_repair import destroy_and_repair
from llm_routing_env.agents.parts.hull import supported_front

ACCURACY = np.array([[0.2, 0.6, 0.7], [0.5, 0.55, 0.9], [0.9, 0.95, 0.96]])
COST_USD = np.array([[1.0, 2.0, 4.0]] * 3)


def test_the_front_of_three_queries():
    """By hand: (5, 2.05), (6, 2.1) and (8, 2.45) are not dominated either, but no price reaches them."""
    front = supported_front(ACCURACY, COST_USD)
    np.testing.assert_allclose(front.cost_usd, [3, 4, 7, 9, 10, 12])
    np.testing.assert_allclose(front.accuracy, [1.6, 2.0, 2.4, 2.5, 2.55, 2.56])
    assert [front.within(budget) for budget in (2.9, 3, 6.9, 7, 100)] == [-1, 0, 1, 2, 5]


@pytest.mark.parametrize("seed", range(20))
def test_every_price_reaches_its_assignment_and_ends_are_the_greedy_ones(seed):
    rng = np.random.default_rng(seed)
    accuracy, cost = rng.random((6, 4)), rng.random((6, 4))
    front, rows = supported_front(accuracy, cost), np.arange(6)
    assert (np.diff(front.cost_usd) > 0).all()
    assert (np.diff(front.accuracy) > 0).all()
    for number in range(len(front.cost_usd)):
        assigned = front.assignment(number)
        np.testing.assert_array_equal((accuracy - front.price(number) * cost).argmax(axis=1), assigned)
        np.testing.assert_allclose(cost[rows, assigned].sum(), front.cost_usd[number])
        np.testing.assert_allclose(accuracy[rows, assigned].sum(), front.accuracy[number])
    np.testing.assert_array_equal(front.assignment(0), cost.argmin(axis=1))
    np.testing.assert_array_equal(front.assignment(len(front.prices)), accuracy.argmax(axis=1))


@pytest.mark.parametrize("seed", range(5))
def test_no_assignment_lies_above_the_front(seed):
    rng = np.random.default_rng(seed)
    accuracy, cost = rng.random((4, 3)), rng.random((4, 3))
    front, rows = supported_front(accuracy, cost), np.arange(4)
    for assigned in itertools.product(range(3), repeat=4):
        best = np.interp(cost[rows, assigned].sum(), front.cost_usd, front.accuracy)
        assert accuracy[rows, assigned].sum() <= best + 1e-12


def test_llms_of_one_cost_leave_one_assignment():
    front = supported_front(ACCURACY, np.ones((3, 3)))
    assert (len(front.cost_usd), front.price(0)) == (1, 0.0)
    np.testing.assert_array_equal(front.assignment(0), [2, 2, 2])


@pytest.mark.parametrize("seed", range(10))
def test_the_search_never_passes_the_front_and_has_both_ends(seed):
    rng = np.random.default_rng(seed)
    accuracy, cost = rng.random((60, 4)), rng.random((60, 4))
    front, found = supported_front(accuracy, cost), destroy_and_repair(accuracy, cost)
    costs, right = np.array([(one.cost_usd, one.accuracy) for one in found]).T
    assert (np.diff(costs) > 0).all()
    assert (np.diff(right) > 0).all()
    below = np.interp(costs, front.cost_usd, front.accuracy) - right
    assert below.min() > -1e-9
    assert below.max() < 0.01, "its solutions are on the front, but for a query or two"
    np.testing.assert_allclose([costs[0], costs[-1]], front.cost_usd[[0, -1]])
