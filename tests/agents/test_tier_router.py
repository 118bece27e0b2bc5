"""Tier router: labels by hand, and what perfect labels and decisions are worth."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.tier_router import tier_labels

ROWS = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=float)


def test_the_label_is_the_cheapest_llm_that_is_right():
    np.testing.assert_array_equal(tier_labels(ROWS, np.array([0, 1, 2])), [3, 2, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(tier_labels(ROWS, np.array([2, 0, 1])), [3, 2, 1, 2, 0, 2, 0, 2])
    np.testing.assert_array_equal(tier_labels(np.array([[np.nan, 0.4, 0.5]]), np.array([0, 1, 2])), [2])


@pytest.fixture
def world(make_task, make_training_table):
    """Return a task and a table of easy, middling and hopeless queries, told by the observation; costs 1, 2 and 4."""
    kind = np.arange(300) % 3
    right = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 0]], dtype=float)[kind]
    cost = np.tile([0.1, 0.2, 0.4], (300, 1))
    task = make_task(3, observation_size=3)
    table = make_training_table(
        task, n_queries=300, observations=np.eye(3)[kind], accuracy=right, cost_usd=cost, rewards=right - cost
    )
    return task, table


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ({}, [0, 1, 0]),
        ({"decide": "argmax"}, [0, 1, 0]),
        ({"decide": "argmax", "fallback": "most_accurate"}, [0, 1, 1]),
    ],
)
def test_every_kind_of_query_goes_to_its_tier(world, options, asked):
    """The two dear LLMs are as accurate: the most accurate is the first."""
    task, table = world
    agent = make_agent("tier_router", task, n_sessions=3, seed=0, **options)
    agent.fit(table)
    np.testing.assert_array_equal(agent.select_action(np.eye(3)), asked)


def test_queries_without_a_label_are_dropped(world):
    task, table = world
    dropped, alone = (make_agent("tier_router", task, decide="argmax", fallback="drop") for _ in range(2))
    dropped.fit(table)
    alone.fit(table.part(np.flatnonzero(table.accuracy.any(axis=1))))
    np.testing.assert_allclose(dropped.weights, alone.weights)


def test_what_an_llm_costs_decides_where_none_may_be_right(world):
    """Middling queries at ten times the price of the second LLM are not worth it."""
    task, table = world
    agent = make_agent("tier_router", task, n_sessions=3, seed=0)
    table.rewards[:] = table.accuracy - 10 * table.cost_usd
    agent.fit(table)
    np.testing.assert_array_equal(agent.select_action(np.eye(3)), [0, 0, 0])


def test_of_one_price_the_most_accurate_comes_first(make_task, make_training_table):
    agent = make_agent("tier_router", make_task(3))
    costs = np.tile([0.2, 0.1, 0.1], (60, 1))
    agent.fit(make_training_table(make_task(3), cost_usd=costs, accuracy=np.tile([0.9, 0.5, 0.6], (60, 1))))
    np.testing.assert_array_equal(agent.order, [2, 1, 0])


def test_nothing_to_sort_or_to_learn_is_refused(world):
    task, table = world
    table.accuracy[:] = 0.0
    with pytest.raises(ValueError, match=r"TierRouter: training_table\.accuracy must be at least 0.5 somewhere"):
        make_agent("tier_router", task, decide="argmax", fallback="drop").fit(table)
    table.cost_usd[:] = np.nan
    with pytest.raises(ValueError, match=r"TierRouter: training_table\.cost_usd must be recorded"):
        make_agent("tier_router", task).fit(table)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"decide": "utilities"}, "Unknown decide of tier_router 'utilities'. Did you mean 'utility'"),
        ({"fallback": "none"}, "Unknown fallback of tier_router 'none'"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("tier_router", make_task(), **options)
