"""Zero router: mixtures on the hull of cost and accuracy, by hand."""

import numpy as np
import pytest

from llm_routing_env.agents import AGENTS, agent_class, make_agent
from llm_routing_env.agents.zero_router import cost_accuracy_hull

# By LLM; the hull is 0, 1, 3: 2 is dearer than 1 and worse, 4 dearer than 3 and as good.
COST_USD, ACCURACY = [0.001, 0.002, 0.003, 0.005, 0.006], [0.2, 0.6, 0.5, 0.8, 0.8]


@pytest.fixture
def fitted(make_task, make_training_table):
    """Return a function that fits a router on two queries with given means."""

    def make(cost_usd=COST_USD, accuracy=ACCURACY, **options):
        task = make_task(len(cost_usd))
        halves = np.array([[0.5], [1.5]])
        agent = make_agent("zero_router", task, **options)
        table = {"cost_usd": halves * cost_usd, "accuracy": np.tile(accuracy, (2, 1))}
        agent.fit(make_training_table(task, n_queries=2, **table))
        return agent

    return make


@pytest.mark.parametrize(
    ("max_cost_usd", "mixture"),
    [
        (0.001, [1, 0, 0, 0, 0]),
        (0.0015, [0.5, 0.5, 0, 0, 0]),
        (0.002, [0, 1, 0, 0, 0]),
        (0.003, [0, 2 / 3, 0, 1 / 3, 0]),
        (0.0035, [0, 0.5, 0, 0.5, 0]),
        (0.005, [0, 0, 0, 1, 0]),
        (1.0, [0, 0, 0, 1, 0]),
        # Halfway between the LLMs 0 and 3.
        (None, [0, 2 / 3, 0, 1 / 3, 0]),
    ],
)
def test_the_budget_decides_the_mixture(fitted, max_cost_usd, mixture):
    agent = fitted(max_cost_usd=max_cost_usd)
    np.testing.assert_allclose(agent.action_probabilities(None), mixture, rtol=0, atol=1e-12)
    budget = 0.003 if max_cost_usd is None else max_cost_usd
    assert agent.mixture @ COST_USD == pytest.approx(min(budget, 0.005))


@pytest.mark.parametrize(
    ("accuracy", "hull"),
    [
        ([0.2, 0.6, 0.5, 0.8, 0.8], [0, 1, 3]),
        ([0.8, 0.6, 0.5, 0.8, 0.2], [0]),
        ([0.1, 0.2, 0.3, 0.4, 0.9], [0, 4]),
        ([0.1, 0.6, 0.6, 0.7, 0.75], [0, 1, 4]),
        ([0.1, 0.5, 0.6, 0.9, 1.0], [0, 1, 3, 4]),
    ],
)
def test_the_hull_rises_ever_more_slowly(accuracy, hull):
    order = [3, 0, 4, 2, 1]
    shuffled = cost_accuracy_hull(np.array(COST_USD)[order], np.array(accuracy)[order])
    assert [order[llm] for llm in shuffled] == hull


def test_of_llms_with_one_price_the_best_is_on_the_hull():
    assert cost_accuracy_hull(np.array([0.1, 0.1, 0.2]), np.array([0.3, 0.5, 0.6])) == [1, 2]


def test_llms_that_are_alike_share_their_part(fitted):
    agent = fitted([0.1, 0.3, 0.3], [0.2, 0.6, 0.6], max_cost_usd=0.25)
    np.testing.assert_allclose(agent.mixture, [0.25, 0.375, 0.375])


def test_the_other_of_two_steps_in_while_one_is_unavailable(fitted):
    agent = fitted(max_cost_usd=0.0035)
    np.testing.assert_allclose(agent.action_probabilities(None, [1, 1, 1, 0, 1]), [0, 1, 0, 0, 0])
    np.testing.assert_allclose(agent.action_probabilities(None, [1, 0, 1, 0, 0]), [0.5, 0, 0.5, 0, 0])


def test_a_budget_below_the_cheapest_llm_is_refused(fitted):
    with pytest.raises(ValueError, match=r"ZeroRouter: max_cost_usd must be at least 0.001, the mean cost.*got 0.0005"):
        fitted(max_cost_usd=0.0005)


def test_a_table_without_costs_is_refused(fitted):
    with pytest.raises(ValueError, match=r"ZeroRouter: training_table\.cost_usd must be recorded.*got nan"):
        fitted([np.nan] * 3, [0.1, 0.2, 0.3])


@pytest.mark.parametrize("max_cost_usd", [-1.0, np.nan, np.inf])
def test_hyperparameter_out_of_range_is_refused(max_cost_usd, make_task):
    with pytest.raises(ValueError, match="ZeroRouter: max_cost_usd must be None, or finite and at least 0"):
        make_agent("zero_router", make_task(), max_cost_usd=max_cost_usd)


def test_it_says_that_it_does_not_maximise_the_reward():
    assert {name: agent_class(name).maximises for name in AGENTS if agent_class(name).maximises != "reward"} == {
        "zero_router": "accuracy"
    }
