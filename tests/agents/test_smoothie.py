"""Smoothie: the nearest to the others is asked, whatever rewards say."""

from dataclasses import replace

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.parts.consensus import squared_distances
from llm_routing_env.envs.problem import RoutingProblem

N_EACH = 30


@pytest.fixture
def two_kinds(make_task, make_training_table):
    """Return a task of two kinds of queries, and its table: LLM 0 lies amid the others on one, LLM 2 on the other."""
    task = make_task(3, 2, observation=None)
    kind = np.repeat([0, 1], N_EACH)
    said = np.where(kind[:, None] == 0, [0.0, 1.0, -1.0], [1.0, -1.0, 0.0])[:, :, None]
    table = make_training_table(task, observations=np.eye(2)[kind], response_distances=squared_distances(said))
    return task, replace(table, cost_usd=np.ones((2 * N_EACH, 3)))


def test_it_asks_who_lies_amid_the_others_on_the_most_similar_queries(two_kinds):
    task, table = two_kinds
    agent = make_agent("smoothie", task, n_sessions=2, seed=0)
    agent.fit(table)
    assert agent.select_action(np.eye(2)).tolist() == [0, 2]


def test_without_neighbours_it_is_the_global_form(two_kinds):
    # V is (-1, 2, 2) on one kind and (2, 2, -1) on the other, which counts half as much again; all cost the same.
    task, table = two_kinds
    weights = np.repeat([1.0, 1.5], N_EACH)
    agent = make_agent("smoothie", task, seed=0, n_neighbours=2 * N_EACH)
    agent.fit(replace(table, weights=weights))
    np.testing.assert_allclose(agent._scores(np.eye(2)), [[-0.8 - 0.25, -2 - 0.25, -0.2 - 0.25]] * 2, atol=1e-12)


def test_rewards_and_accuracies_teach_it_nothing(two_kinds):
    task, table = two_kinds
    fitted = []
    for given in (table, replace(table, rewards=-table.rewards, accuracy=1 - table.accuracy)):
        agent = make_agent("smoothie", task, n_sessions=2, seed=0)
        agent.fit(given)
        fitted.append(agent.action_probabilities(np.eye(2)))
    np.testing.assert_array_equal(*fitted)


def test_of_two_that_err_as_much_the_cheaper_is_asked(make_task, make_training_table):
    task = make_task(3, 2)
    said = np.array([[0.0, 1.0], [0.0, -1.0], [5.0, 0.0]])  # V: the first two alike
    distances = np.tile(squared_distances(said), (40, 1, 1))
    table = make_training_table(task, n_queries=40, response_distances=distances)
    for cost, asked in (([2.0, 1.0, 1.0], 1), ([1.0, 2.0, 1.0], 0)):
        agent = make_agent("smoothie", task, n_sessions=1, seed=0)
        agent.fit(replace(table, cost_usd=np.tile(cost, (40, 1))))
        assert agent.select_action(np.ones((1, 2))) == [asked]
    agent = make_agent("smoothie", task, seed=0, cost_weight=0.0)
    agent.fit(replace(table, cost_usd=np.full((40, 3), np.nan)))
    np.testing.assert_allclose(agent.action_probabilities(np.ones(2)), [0.5, 0.5, 0.0])


def test_an_llm_that_never_answers_is_asked_by_nobody(make_task, make_training_table):
    distances = np.zeros((60, 4, 4))
    distances[:, 3], distances[:, :, 3] = np.nan, np.nan
    table = make_training_table(make_task(), response_distances=distances, cost_usd=np.tile([1, 1, 1, 0.0], (60, 1)))
    for cost_weight in (0.25, 50.0):
        agent = make_agent("smoothie", make_task(), seed=0, cost_weight=cost_weight)
        agent.fit(table)
        np.testing.assert_allclose(agent.action_probabilities(np.ones(5)), [1 / 3, 1 / 3, 1 / 3, 0])


def test_a_call_without_an_answer_counts_as_one_that_errs(make_task, make_training_table):
    """All agree wherever they answer, the last, which is free, in one query of sixty: V = 0 there, else 2."""
    distances = np.zeros((60, 4, 4))
    distances[1:, 3], distances[1:, :, 3] = np.nan, np.nan
    table = make_training_table(make_task(), response_distances=distances, cost_usd=np.tile([1, 1, 1, 0.0], (60, 1)))
    agent = make_agent("smoothie", make_task(), seed=0)
    agent.fit(table)
    np.testing.assert_array_equal(agent.errors[:2], [[0, 0, 0, 0], [0, 0, 0, 2]])
    np.testing.assert_allclose(agent.action_probabilities(table.observations[0]), [1 / 3, 1 / 3, 1 / 3, 0])


def test_all_responses_equal_is_a_tie(make_task, make_training_table):
    agent = make_agent("smoothie", make_task(), seed=0, cost_weight=0)
    agent.fit(make_training_table(make_task(), response_distances=np.zeros((60, 4, 4))))
    np.testing.assert_allclose(agent.action_probabilities(np.ones(5)), 0.25)


@pytest.mark.parametrize(
    ("parameters", "changes", "message"),
    [
        ({"n_neighbours": 61}, {}, "n_neighbours must be at most 60, the training queries, got 61"),
        ({}, {"response_distances": None}, "training_table must be with response_distances, got None"),
        ({}, {"cost_usd": np.full((60, 4), np.nan)}, "cost_usd must be recorded, or cost_weight 0, got nan"),
        (
            {},
            {"response_distances": np.full((60, 4, 4), np.nan)},
            "response_distances must be of each LLM that answers beside 2 others, got 'llm0'",
        ),
    ],
)
def test_what_it_cannot_be_fitted_on_is_refused(parameters, changes, message, make_task, make_training_table):
    table = replace(make_training_table(make_task()), **changes)
    with pytest.raises(ValueError, match=message):
        make_agent("smoothie", make_task(), **parameters).fit(table)


@pytest.mark.parametrize("parameters", [{"n_neighbours": 0}, {"cost_weight": -1.0}, {"cost_weight": np.nan}])
def test_values_out_of_range_are_refused(parameters, make_task):
    with pytest.raises(ValueError, match=r"Smoothie: (n_neighbours|cost_weight) must be"):
        make_agent("smoothie", make_task(), **parameters)


@pytest.mark.parametrize(("form", "closed"), [("additive", 0.82), ("pickllm", 0.79)])
def test_on_nano_it_closes_the_gap_without_a_label(form: str, closed: float):
    problem = RoutingProblem("nano", observation="embedding", reward=form)
    rows = problem.queries_of("mixed")
    agent = make_agent("smoothie", problem.task, n_sessions=len(rows), seed=0)
    agent.fit(problem.training_table(agent))
    earned = problem.reward_table.query_means[rows]
    got = earned[np.arange(len(rows)), agent.select_action(problem.observations[rows])].mean()
    best = earned.mean(axis=0).max()  # contexts have as many test queries each
    assert (got - best) / (earned.max(axis=1).mean() - best) == pytest.approx(closed, abs=0.02)
