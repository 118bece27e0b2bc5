"""IPO router: pairs by hand, and the optimum that theory gives."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.ipo_router import _preferred, all_pairs, neighbouring_pairs

REWARDS = np.array([[0.5, 0.9, 0.1, 0.5], [1.0, 1.0, np.nan, 0.0]])


def test_neighbouring_levels_make_pairs_of_all_their_llms():
    pairs = set(zip(*(array.tolist() for array in neighbouring_pairs(REWARDS)), strict=True))
    assert pairs == {(0, 1, 0), (0, 1, 3), (0, 0, 2), (0, 3, 2), (1, 0, 3), (1, 1, 3)}


def test_all_pairs_have_those_of_levels_further_apart_too():
    pairs = set(zip(*(array.tolist() for array in all_pairs(REWARDS)), strict=True))
    assert pairs == {(0, 1, 0), (0, 1, 3), (0, 1, 2), (0, 0, 2), (0, 3, 2), (1, 0, 3), (1, 1, 3)}


@pytest.mark.parametrize(
    ("preference", "beta", "margin"), [(1, 0.05, 10), (0.8, 0.05, 6), (0.8, 0.5, 0.6), (0.6, 0.1, 1)]
)
def test_two_llms_end_as_far_apart_as_the_theory_says(preference, beta, margin):
    """The least squared loss of h is at (2p - 1) / (2 beta)."""
    pairs = np.zeros(2, dtype=int), np.array([0, 1]), np.array([1, 0])
    weights = _preferred(np.ones((1, 1)), pairs, np.array([preference, 1 - preference]), np.zeros((1, 2)), beta)
    assert weights[0, 0] - weights[0, 1] == pytest.approx(margin, rel=1e-3)


def test_three_llms_end_where_least_squares_puts_them():
    """Pairs 0>1, 1>2, 0>2 with preferences .9, .7, .95 and beta .5: h = .8, .4, .9, solved by hand with sum 0."""
    winner, loser = np.array([0, 1, 1, 2, 0, 2]), np.array([1, 0, 2, 1, 2, 0])
    share = np.array([0.9, 0.1, 0.7, 0.3, 0.95, 0.05]) / 3
    weights = _preferred(np.ones((1, 1)), (np.zeros(6, dtype=int), winner, loser), share, np.zeros((1, 3)), 0.5)
    np.testing.assert_allclose(weights[0] - weights[0].mean(), [0.5667, -0.1333, -0.4333], atol=1e-3)


def test_the_reference_is_what_the_margin_is_beyond():
    pairs = np.zeros(1, dtype=int), np.array([0]), np.array([1])
    weights = _preferred(np.ones((1, 1)), pairs, np.ones(1), np.array([[3.0, 0.0]]), 0.5)
    assert weights[0, 0] - weights[0, 1] == pytest.approx(4, rel=1e-3)


@pytest.mark.parametrize("weighting", ["gap", "equal"])
def test_ties_alone_teach_nothing(weighting, make_task, make_training_table):
    agent = make_agent("ipo_router", make_task(3), weighting=weighting)
    agent.fit(make_training_table(make_task(3), rewards=np.full((60, 3), 0.5)))
    np.testing.assert_allclose(agent.action_probabilities(np.ones(5)), [1 / 3] * 3)


def test_the_size_of_a_gap_counts_by_default_and_not_in_the_paper(make_task, make_training_table):
    """The first LLM is a little better on three queries of four, and much worse on the fourth."""
    task = make_task(2)
    rewards = np.where(np.arange(80)[:, None] % 4 == 0, [[0.0, 1.0]], [[0.51, 0.5]])
    asked = {}
    for weighting in ("gap", "equal"):
        agent = make_agent("ipo_router", task, weighting=weighting)
        agent.fit(make_training_table(task, n_queries=80, observations=np.zeros((80, 5)), rewards=rewards))
        asked[weighting] = agent.select_action(np.zeros(5))
    assert asked == {"gap": 1, "equal": 0}


def test_tries_are_paid_for(make_task, make_training_table):
    task = make_task(4)
    table = make_training_table(task, cost_usd=np.full((60, 4), 0.01))
    for n_tried, n_calls in ((None, 240), (2, 120), (3, 180)):
        agent = make_agent("ipo_router", task, seed=0, n_tried=n_tried)
        agent.fit(table)
        assert agent.training_cost_usd == pytest.approx(0.01 * n_calls)


def test_only_llms_that_a_query_was_asked_of_are_tried(make_task, make_training_table):
    task = make_task(3)
    cells = np.random.default_rng(0).random((60, 3))
    cells[:40, 1] = np.nan
    table = make_training_table(task, **dict.fromkeys(("rewards", "accuracy", "cost_usd", "latency_s"), cells))
    agent = make_agent("ipo_router", task, seed=0, n_tried=2)
    tried = agent._tried(table.has_cell)
    assert not (tried & ~table.has_cell).any()
    np.testing.assert_array_equal(tried.sum(axis=1), 2)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"n_tried": 1}, "IPORouter: n_tried must be None, or from 2 to 4, the LLMs, got 1"),
        ({"n_tried": 5}, "IPORouter: n_tried must be None, or from 2 to 4, the LLMs, got 5"),
        ({"weighting": "gaps"}, "Unknown weighting of ipo_router 'gaps'. Did you mean 'gap'"),
        ({"beta": 0.0}, "IPORouter: beta must be positive and finite, got 0.0"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("ipo_router", make_task(), **options)
