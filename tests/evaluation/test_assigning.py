"""Assigning a batch: fronts by hand, budgets and accuracies, and what is refused."""

import itertools

import numpy as np
import pytest

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.assigning import Batch, assign, make_batch

# Three queries, three LLMs of cost 1, 2 and 4.
RIGHT = np.array([[0.2, 0.6, 0.7], [0.5, 0.55, 0.9], [0.9, 0.95, 0.96]])
COSTS = np.tile([1.0, 2.0, 4.0], (3, 1))
FRONT = [(3, 1.6), (4, 2.0), (7, 2.4), (9, 2.5), (10, 2.55), (12, 2.56)]


@pytest.fixture(scope="module")
def batch() -> Batch:
    return Batch(RoutingProblem(observation="none"), np.arange(3), RIGHT, COSTS)


def test_the_front_is_that_of_all_prices(batch):
    found = assign(batch, budget_usd=100)
    np.testing.assert_allclose(np.stack([found.front_usd, found.front_accuracy * 3], axis=1), FRONT)
    assert found.llms.tolist() == [2, 2, 2]


@pytest.mark.parametrize(("budget", "place"), [(3, 0), (3.9, 0), (4, 1), (8, 2), (11.9, 4), (12, 5)])
def test_a_budget_is_the_last_assignment_within_it(batch, budget, place):
    found = assign(batch, budget_usd=budget)
    assert (found.cost_usd.sum(), found.accuracy.sum()) == pytest.approx(FRONT[place])
    least = max(
        RIGHT[range(3), z].sum() for z in itertools.product(range(3), repeat=3) if COSTS[0, list(z)].sum() <= budget
    )
    assert found.accuracy.sum() > least - 0.4  # one query's raise at most


@pytest.mark.parametrize(("accuracy", "place"), [(0.0, 0), (1.6 / 3, 0), (0.6, 1), (0.8, 2), (2.56 / 3, 5)])
def test_an_accuracy_is_the_cheapest_assignment_that_has_it(batch, accuracy, place):
    assert assign(batch, accuracy=accuracy).cost_usd.sum() == pytest.approx(FRONT[place][0])


def test_the_search_lands_on_the_front_and_never_above(batch):
    found = assign(batch, budget_usd=9, method="search")
    assert found.cost_usd.sum() <= 9
    hull = np.array(FRONT, dtype=float)
    assert (found.front_accuracy * 3 <= np.interp(found.front_usd, *hull.T) + 1e-9).all()


def test_nobody_is_asked_who_cannot_be(batch):
    can = np.array([[True, True, False]])
    cannot = Batch(batch.problem, batch.queries, np.where(can, RIGHT, -1.0), np.where(can, COSTS, np.inf))
    assert assign(cannot, budget_usd=100).llms.tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match='method "search" takes no table that lacks outcomes'):
        assign(cannot, budget_usd=100, method="search")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"budget_usd": 2.9},
            "budget_usd must be at least 3, what 3 queries cost with the cheapest LLM for each, got 2.9",
        ),
        ({"accuracy": 0.9}, "accuracy must be at most 0.8533, what is expected with the most accurate LLM .*, got 0.9"),
        ({}, "--budget-usd, or how many are to be right, --accuracy: one"),
        ({"budget_usd": 5, "accuracy": 0.5}, "--budget-usd, or how many are to be right, --accuracy: one"),
        ({"budget_usd": float("nan")}, "budget_usd must be a finite number of 0 or more, got nan"),
        ({"budget_usd": 5, "method": "hul"}, "Unknown method 'hul'. Did you mean 'hull'"),
    ],
)
def test_what_cannot_be_is_refused(batch, options, problem):
    with pytest.raises(ValueError, match=problem):
        assign(batch, **options)


def test_a_batch_is_of_predictions_and_costs():
    batch = make_batch("hull_router", table="nano", scorer=None)
    recorded = make_batch("hull_router", table="nano", scorer=None, costs="recorded")
    np.testing.assert_array_equal(batch.accuracy, recorded.accuracy)
    assert ((batch.accuracy >= 0) & (batch.accuracy <= 1)).all()
    assert batch.cost_usd.std(axis=0) == pytest.approx(0, abs=1e-12)
    found = assign(recorded, budget_usd=0.05)
    assert found.recorded["cost_usd"] == pytest.approx(found.cost_usd.sum())
    assert found.recorded["accuracy"] == pytest.approx(found.accuracy.mean(), abs=0.06)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"agent": "knn_router"}, "Unknown agent that predicts accuracies 'knn_router'. Did you mean 'hull_router'"),
        ({"costs": "means"}, "Unknown costs 'means'. Did you mean 'mean'"),
        ({"split": "all"}, "hull_router is fitted on the train split of nano, so it can only assign the test split"),
    ],
)
def test_who_cannot_predict_is_refused(options, problem):
    with pytest.raises(ValueError, match=problem):
        make_batch(**({"agent": "hull_router", "table": "nano", "scorer": None} | options))
