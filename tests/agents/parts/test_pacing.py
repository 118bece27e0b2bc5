"""Prices on spending: their course by hand, and what theory says of what is spent."""

import numpy as np
import pytest

from llm_routing_env.agents import LLMInfo
from llm_routing_env.agents.parts import pacing
from llm_routing_env.agents.parts.pacing import DualPrice, SmoothedPrice, normalised

ONE = np.array([True])
LLMS = (LLMInfo("cheap", 0.5, 1.5), LLMInfo("dear", 5.0, 15.0))


def played(step, rounds):
    """Spend by the dual's own choices: rewards .9 and .3, costs 1 and .1, a budget of .5; return prices and costs."""
    pace = DualPrice(1, 0.5)
    rewards, costs = np.array([0.9, 0.3]), np.array([[1.0, 0.1]])
    prices, spent = [0.0], []
    for _ in range(rounds):
        arm = int((rewards - pace.penalties(costs)[0]).argmax())
        spent.append(costs[0, arm])
        pace.charge(costs[:, arm], ONE)
        prices.append(float(pace.prices[0]))
    return np.array(prices), np.array(spent)


def test_what_is_spent_is_the_course_of_the_price():
    """Spend / budget = 1 + (lambda_T - lambda_0) / (step T), as long as lambda is not held at 0."""
    prices, spent = played(pacing.DUAL_STEP, 5000)
    assert spent.mean() / 0.5 == pytest.approx(1 + (prices[-1] - prices[0]) / (pacing.DUAL_STEP * 5000), abs=1e-12)


def test_the_mixture_is_that_of_the_linear_program(monkeypatch):
    """.4 / .9 of the queries to the dear LLM are worth .5667; lambda / budget = (.9 - .3) / (1 - .1)."""
    monkeypatch.setattr(pacing, "DUAL_STEP", 0.002)
    prices, spent = played(0.002, 20_000)
    assert prices[-1] == pytest.approx(1 / 3, abs=0.01)
    late = spent[5000:] == 1.0
    assert late.mean() == pytest.approx(4 / 9, abs=0.01)
    assert (0.9 * late + 0.3 * ~late).mean() == pytest.approx(0.5667, abs=0.005)
    assert spent.mean() / 0.5 == pytest.approx(1.0083, abs=0.0005)


def test_a_query_that_does_not_count_moves_no_price():
    pace = DualPrice(2, 0.5)
    pace.charge(np.array([5.0, 5.0]), np.array([True, False]))
    np.testing.assert_allclose(pace.prices, [pacing.DUAL_STEP * 9, 0.0])


def test_the_smoothed_price_is_the_repositorys():
    """Cost / budget = 2 ten times, then 0: lambda after 1, 10, 11, 15 and 20 queries."""
    pace, seen = SmoothedPrice(1, 1e-3, LLMS), []
    for number in range(20):
        pace.charge(np.array([2e-3 if number < 10 else 0.0]), ONE)
        seen.append(float(pace.prices[0]))
    expected = [0.0025, 0.118800, 0.135360, 0.169943, 0.152961]
    np.testing.assert_allclose([seen[n - 1] for n in (1, 10, 11, 15, 20)], expected, atol=1e-5)


def test_list_prices_are_logarithms_and_a_ceiling():
    np.testing.assert_allclose(normalised(np.array([1e-5, 1e-4, 1e-3, 0.1, 1.0])), [0, 0, 1 / 3, 1, 1])
    pace = SmoothedPrice(3, 1e-3, LLMS)
    pace.prices = np.array([0.0, 0.5, 20.0])
    penalties = pace.penalties(np.ones((3, 2)))
    assert np.isfinite(penalties).tolist() == [[True, True], [True, False], [True, False]]  # never the cheapest
    assert penalties[1, 0] == pytest.approx(0.5 * np.log(10) / np.log(1000))


def test_unknown_list_prices_are_refused():
    with pytest.raises(ValueError, match='goes by list prices, and that of mine is not known: style "dual"'):
        SmoothedPrice(1, 1.0, (LLMS[0], LLMInfo("mine", 1.0, None)))
