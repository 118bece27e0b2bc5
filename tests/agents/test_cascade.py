"""Cascade: thresholds and lists against what theory gives."""

from dataclasses import replace

import numpy as np
import pytest
from asking_tables import asking_task, full_table

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.cascade import agreement, best_thresholds
from llm_routing_env.agents.parts.ask_view import size_of_asks, write_asks

N = 10_001
U = np.linspace(0, 1, N)  # the first LLM is right with probability u, and its score says so; the second with .9


def earned(threshold: float, price: float) -> tuple[float, float]:
    """Return accuracy and cost of accepting the first at a threshold; it costs 1, the second 5."""
    accepts = threshold <= U
    return float(np.where(accepts, U, 0.9).mean()), float(np.where(accepts, 1, 6).mean())


@pytest.mark.parametrize(
    ("threshold", "accuracy", "cost"),
    [(0.0, 0.5, 1.0), (0.5, 0.825, 3.5), (0.8, 0.9, 5.0), (0.9, 0.905, 5.5), (1.1, 0.9, 6.0)],
)
def test_the_example_is_as_theory_says(threshold: float, accuracy: float, cost: float):
    assert earned(threshold, 0.0) == pytest.approx((accuracy, cost), abs=2e-3)


@pytest.mark.parametrize(("price", "best"), [(0.02, 0.8), (0.0, 0.9), (0.08, 0.5), (1.0, 0.0)])
def test_the_best_threshold_is_where_another_ask_is_worth_its_price(price: float, best: float):
    # p(next) - g > price x cost(next): .9 - g > 5 price.
    worths = [U - price, 0.9 - 6 * price * np.ones(N)]
    value, (threshold,) = best_thresholds([U], worths, np.full(N, 1 / N))
    assert threshold == pytest.approx(best, abs=1e-3)
    assert value == pytest.approx(np.where(threshold <= U, *worths).mean())


def test_two_thresholds_are_searched_together():
    rng = np.random.default_rng(0)
    gates, worths, weights = rng.random((2, 300)), rng.normal(size=(3, 300)), np.full(300, 1 / 300)
    value, (first, second) = best_thresholds(list(gates), list(worths), weights)
    later = np.where(gates[1] >= second, worths[1], worths[2])
    assert value == pytest.approx(np.where(gates[0] >= first, worths[0], later).mean())
    tried = [
        np.where(gates[0] >= a, worths[0], np.where(gates[1] >= b, worths[1], worths[2])).mean()
        for a in np.quantile(gates[0], np.linspace(0, 1, 21))
        for b in np.quantile(gates[1], np.linspace(0, 1, 21))
    ]
    assert value >= max(tried) - 1e-12


def test_answers_that_are_none_agree_with_nobody():
    assert agreement(np.array([[3, -1, 3, -1]])).astype(int).tolist() == [
        [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    ]


def test_two_cheap_ones_that_agree_save_the_dear_one():
    # Two cheap LLMs are each right in 4 of 5; where they agree they are right. The dear one is always right.
    rng, n = np.random.default_rng(1), 4_000
    both = rng.random(n) < 0.6
    lucky = rng.integers(2, size=n)
    right = np.stack([both | (lucky == 0), both | (lucky == 1), np.ones(n, dtype=bool)], axis=1)
    answers = np.where(right, 0, np.array([1, 2, 3]))
    table = full_table(answers, right, cost_usd=[0.01, 0.01, 0.3])
    agent = make_agent("cascade", asking_task(3, weights=(1, 1, 0)), n_sessions=4)
    agent.fit(table)
    assert sorted(agent.order[:2].tolist()) == [0, 1]
    assert agent.order[2] == 2
    first, second, _ = agent.order.tolist()
    order, group = np.zeros((4, 3), dtype=int), np.zeros((4, 3), dtype=int)
    order[1:, first], group[1:, first] = 1, 1
    order[2:, second], group[2:, second] = 2, [1, 2]
    seen = write_asks(order, group, np.zeros((4, 3)), [], np.zeros(4, dtype=bool))
    actions = agent.select_action(np.concatenate([np.zeros((4, 1)), seen], axis=1))
    assert actions.tolist() == [first, second, second, 2]  # ask, ask, they agree: accept, they do not: ask the dear one


def test_a_measure_of_the_answer_saves_the_dear_one():
    # The cheap LLM is right where its answer ranks high, of which the query says nothing; the dear one always is.
    rank = np.random.default_rng(2).uniform(-1, 1, 2_000)
    right = np.stack([rank > 0, np.ones(2_000, dtype=bool)], axis=1)
    measures = {"confidence": np.stack([rank, np.full(2_000, np.nan)], axis=1)}
    table = replace(full_table(np.arange(2) + np.zeros((2_000, 1), dtype=int), right, [0.01, 0.3]), measures=measures)
    task = replace(
        asking_task(2, weights=(1, 1, 0)),
        observation="embedding+asks+confidence",
        observation_size=1 + size_of_asks(2, 1),
    )
    agent = make_agent("cascade", task, n_sessions=3, observation="embedding+asks+confidence", depth=2)
    agent.fit(table)
    assert agent.order.tolist() == [0, 1]
    order = np.array([[0, 0], [1, 0], [1, 0]])
    ranks = np.array([[-1.0, -1.0], [0.2, -1.0], [-0.2, -1.0]])
    seen = write_asks(order, order, np.zeros((3, 2)), [ranks], np.zeros(3, dtype=bool))
    actions = agent.select_action(np.concatenate([np.zeros((3, 1)), seen], axis=1))
    assert actions.tolist() == [0, 0, 1]  # ask, accept, ask the dear one


def test_with_one_place_it_is_the_best_llm():
    rng = np.random.default_rng(0)
    right = rng.random((500, 3)) < [0.3, 0.8, 0.5]
    agent = make_agent("cascade", asking_task(3), depth=1)
    agent.fit(full_table(np.zeros((500, 3), dtype=int), right))
    assert agent.order.tolist() == [1]


def test_of_many_llms_lists_are_made_of_six():
    rng = np.random.default_rng(0)
    right = rng.random((300, 9)) < np.linspace(0.1, 0.9, 9)
    agent = make_agent("cascade", asking_task(9, weights=(1, 0.1, 0)))
    agent.fit(full_table(rng.integers(5, size=(300, 9)), right, cost_usd=np.linspace(0.1, 0.9, 9)))
    assert np.count_nonzero(agent.scores.any(axis=2)) <= 30  # ordered pairs of six


@pytest.mark.parametrize("depth", [0, 4, True, "3"])
def test_a_depth_that_is_none_is_refused(depth: object):
    with pytest.raises(ValueError, match="depth must be 1, 2 or 3"):
        make_agent("cascade", asking_task(4), depth=depth)
