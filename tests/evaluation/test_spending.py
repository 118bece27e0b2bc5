"""Budgets per query: what agents know of them, and what is said of what they spend."""

from typing import Any

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.zero_router import cost_accuracy_hull
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.comparison import compare

BUDGET = 3e-5


def small(*agents: str, **options: Any) -> Any:
    given = {"n_sessions": 3, "length": 30, "max_usd_per_query": BUDGET, "training_seeds": 1, "context": "math"}
    return compare(agents, **(given | options))


@pytest.fixture(scope="module")
def result() -> Any:
    return small("budget_pacer", "zero_router", "cheapest")


def test_what_is_spent_is_the_mean_cost_of_the_queries(result):
    log = result.logs["budget_pacer"]["math"]
    spent = result.spending["budget_pacer"]
    assert spent.spent_usd["mean"] == pytest.approx(log.measures["cost_usd"].mean())
    assert spent.overshoot == pytest.approx(log.measures["cost_usd"].mean() / BUDGET - 1)


def test_the_reward_at_equal_spend_is_that_of_a_mixture_of_single_llms(result):
    problem, spent = result.problem, result.spending["budget_pacer"]
    queries = problem.queries_of("math")
    costs = problem.cells.cost_usd[queries].mean(axis=(0, 2))
    rewards = problem.reward_table.query_means[queries].mean(axis=0)
    hull = cost_accuracy_hull(costs, rewards)
    expected = np.interp(spent.spent_usd["mean"], costs[hull], rewards[hull])
    assert spent.at_equal_spend == pytest.approx(expected)
    gained = result.logs["budget_pacer"]["math"].rewards.mean()
    drawn = result.drawn["math"]
    on_sessions = problem.reward_table.rewards[drawn.queries, :, drawn.repeats].mean(axis=(0, 1))
    share = np.interp(spent.spent_usd["mean"], costs[hull], np.arange(len(hull)))
    low, part = int(share), share % 1
    mixed = on_sessions[hull[low]] * (1 - part) + (on_sessions[hull[low + 1]] * part if part else 0)
    assert spent.gain["mean"] == pytest.approx(gained - mixed)


def test_what_no_llm_beats_is_worth_its_mixture(result):
    best = result.references.best_fixed
    assert result.spending[f"always {best}"].gain["mean"] == pytest.approx(0, abs=1e-12)
    assert result.spending[f"always {best}"].spent_usd["mean"] <= result.spending["always large-2.0m"].spent_usd["mean"]


def test_the_document_says_it_and_nothing_without_a_budget(result):
    said = result.document()["spending"]
    assert said["max_usd_per_query"] == BUDGET
    assert set(said["rows"]) == {*result.agents, *result.references.actions}
    assert said["rows"]["cheapest"]["overshoot"] < 0
    assert "spending" not in small("cheapest", max_usd_per_query=None).document()


def test_agents_know_the_budget_by_their_task():
    problem = RoutingProblem(observation="embedding32", max_usd_per_query=BUDGET)
    assert problem.task.max_usd_per_query == BUDGET
    assert make_agent("budget_pacer", problem.task)._budget_usd == BUDGET
    assert RoutingProblem(observation="none").task.max_usd_per_query is None


def test_routers_with_a_budget_keep_to_the_tasks():
    given, own = (
        RoutingProblem(observation="embedding", split="train", **options).task
        for options in ({"max_usd_per_query": BUDGET}, {})
    )
    table = RoutingProblem(observation="embedding", split="train").training_table()
    for name, array in (("zero_router", "mixture"), ("hull_router", "price")):
        told, set_by_hand = (make_agent(name, given, seed=0), make_agent(name, own, seed=0, max_cost_usd=BUDGET))
        for agent in (told, set_by_hand):
            agent.fit(table)
        np.testing.assert_array_equal(getattr(told, array), getattr(set_by_hand, array))


@pytest.mark.parametrize(
    ("budget", "problem"),
    [
        (
            1e-7,
            r"max_usd_per_query must be at least 1\.70\de-06, the mean cost of the cheapest LLM, tiny-0\.1m, got 1e-07",
        ),
        (0, "max_usd_per_query must be None, or a finite number above 0, got 0"),
        (float("nan"), "max_usd_per_query must be None, or a finite number above 0, got nan"),
        (True, "max_usd_per_query must be None, or a finite number above 0, got True"),
        ("1e-4", "max_usd_per_query must be None, or a finite number above 0, got '1e-4'"),
    ],
)
def test_budgets_that_cannot_be_are_refused(budget, problem):
    with pytest.raises(ValueError, match=problem):
        RoutingProblem(observation="none", max_usd_per_query=budget)
