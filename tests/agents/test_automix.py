"""AutoMix: smoothing, lift and bins against numbers by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from asking_tables import asking_task, full_table

from llm_routing_env.agents import Agent, RoutingTask, make_agent
from llm_routing_env.agents.automix import lift, smoothed
from llm_routing_env.agents.parts.ask_view import write_asks

N = 4_000


def gate(weights: tuple[float, float, float] = (1, 1, 0), **parameters: Any) -> Agent:
    task = asking_task(2, weights=weights, measures=["confidence"])
    task = RoutingTask(**{**vars(task), "observation": "none+asks+confidence"})
    return make_agent("automix", task, observation="none+asks+confidence", **parameters)


def shown(rank: float, n_asked: int = 1) -> np.ndarray:
    order = np.array([[1 if n_asked else 0, 2 if n_asked > 1 else 0]])
    measure = [np.where(order > 0, rank, -1.0)]
    return np.append(0.0, write_asks(order, order, np.zeros((1, 2)), measure, np.zeros(1, dtype=bool))[0])


def test_gains_are_smoothed_by_a_gaussian():
    np.testing.assert_allclose(smoothed(np.array([0.1, 0.3, 0.2])), [0.195279, 0.204250, 0.211087], atol=5e-7)
    # Unsmoothed the order of the three is 2, 3, 1; smoothed it is 3, 2, 1.
    assert np.argsort(-smoothed(np.array([0.1, 0.3, 0.2]))).tolist() == [2, 1, 0]
    np.testing.assert_allclose(
        smoothed(np.array([0, 0.1, 0.4, 0.3, 0.2, 0.1, 0, -0.1])),
        [0.152848, 0.183276, 0.201334, 0.196794, 0.167051, 0.120750, 0.071330, 0.028231],
        atol=5e-7,
    )


def test_lift_is_the_gain_per_dollar_over_that_of_the_large_llm():
    small, large = (0.5, 1.0), (0.9, 5.0)  # always the large one: .1 for a dollar more
    assert lift(0.9, 5.0, small, large) == pytest.approx(0.0)
    assert lift(0.9, 3.0, small, large) == pytest.approx(1.0)  # all of it for half
    assert lift(0.6, 3.0, small, large) == pytest.approx(-0.5)
    assert lift(0.5, 1.0, small, large) == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="lift needs a large LLM that costs more than the small one"):
        lift(0.9, 1.0, small, (0.9, 1.0))


def test_a_perfect_check_escalates_what_is_wrong_and_can_be_mended():
    # Low confidence: only the large one is right; middle: neither; high: both.
    confidence = np.linspace(-0.99, 0.99, N)
    kinds = np.digitize(confidence, [-0.5, 0.0])
    right = np.array([[0, 1], [0, 0], [1, 1]])[kinds]
    agent = gate()
    agent.fit(
        full_table(np.zeros((N, 2), int), right, [0.0, 0.25], measures={"confidence": np.tile(confidence, (2, 1)).T})
    )
    assert agent.pair.tolist() == [0, 1]
    assert [agent.select_action(shown(rank)) for rank in (-0.9, -0.6, -0.3, 0.3, 0.9)] == [1, 1, 0, 0, 0]
    assert agent.select_action(shown(-0.9, 0)) == 0  # first the small one
    assert agent.select_action(shown(-0.9, 2)) == 1  # then the large one's answer


def test_a_check_that_says_nothing_lifts_nothing():
    rng = np.random.default_rng(0)
    right = rng.random((N, 2)) < [0.5, 0.9]
    confidence = rng.uniform(-1, 1, (N, 2))
    agent = gate(choose_by="lift", small="llm-0", large="llm-1")
    agent.fit(full_table(np.zeros((N, 2), int), right, [0.1, 0.5], measures={"confidence": confidence}))
    new = rng.random((N, 2)) < [0.5, 0.9]
    asks = np.array([agent.select_action(shown(rank)) for rank in rng.uniform(-1, 1, 500)]) == 1
    share = asks.mean()
    accuracy = (1 - share) * new[:, 0].mean() + share * new[:, 1].mean()
    assert lift(accuracy, 0.1 + share * 0.5, (new[:, 0].mean(), 0.1), (new[:, 1].mean(), 0.6)) == pytest.approx(
        0, abs=0.1
    )


@pytest.mark.parametrize(("fee", "asks"), [(0.1, 1), (0.9, 0)])
def test_a_constant_check_is_one_bin_which_pays_or_does_not(fee: float, asks: int):
    right = np.tile([[0, 1], [1, 1]], (20, 1))
    agent = gate(small="llm-0", large="llm-1")
    agent.fit(full_table(np.zeros((40, 2), int), right, [0.0, fee], measures={"confidence": np.full((40, 2), 0.5)}))
    assert agent.select_action(shown(0.5)) == asks


def test_without_a_measure_the_query_is_the_check():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, N)
    right = np.stack([x > 0, np.ones(N)], axis=1)
    agent = make_agent("automix", asking_task(2, weights=(1, 1, 0)), small="llm-0", large="llm-1")
    agent.fit(full_table(np.zeros((N, 2), int), right, [0.0, 0.25], seen=x[:, None]))
    order = np.array([[1, 0]])
    asks = write_asks(order, order, np.zeros((1, 2)), [], np.zeros(1, dtype=bool))[0]
    assert [agent.select_action(np.append(each, asks)) for each in (-0.9, -0.4, 0.4, 0.9)] == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"small": "llm-1", "large": "llm-1"}, "large must be another LLM than small, 'llm-1'"),
        ({"small": "lm-1"}, "Unknown LLM 'lm-1'. Did you mean 'llm-1'"),
        ({"n_bins": 1}, "n_bins must be 2 or more"),
        ({"choose_by": "lft"}, "Unknown choose_by 'lft'. Did you mean 'lift'"),
    ],
)
def test_what_cannot_be_is_refused(parameters: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        make_agent("automix", asking_task(2), **parameters)


def test_too_few_queries_and_a_large_llm_that_costs_no_more_are_refused():
    agent = make_agent("automix", asking_task(2))
    with pytest.raises(ValueError, match="of 8 queries or more, one for each bin, got 3"):
        agent.fit(full_table([[0, 1]] * 3, [[1, 0]] * 3))
    by_lift = make_agent("automix", asking_task(2), choose_by="lift", small="llm-0", large="llm-1")
    with pytest.raises(ValueError, match='"reward" where no large LLM costs more'):
        by_lift.fit(full_table([[0, 1]] * 9, [[1, 0]] * 9, cost_usd=[0.2, 0.1]))


def test_a_measure_that_compares_answers_says_nothing_of_one():
    task = replace(asking_task(3, measures=("smoothie",)), observation="embedding+asks+smoothie")
    with pytest.raises(ValueError, match="'smoothie' compares several answers, and this goes by one LLM's alone"):
        make_agent("automix", task, observation="embedding+asks+smoothie")
