"""Linear router: exact on linear data."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.linear_router import RIDGES
from llm_routing_env.agents.parts.linear_model import ridge_regression, with_intercept


def test_without_noise_it_is_least_squares_and_routes_perfectly(make_task, make_training_table):
    rng = np.random.default_rng(0)
    task = make_task()
    coefficients, intercepts = rng.normal(size=(5, 4)), rng.normal(size=4)
    seen, unseen = rng.normal(size=(50, 5)), rng.normal(size=(300, 5))
    rewards = seen @ coefficients + intercepts
    agent = make_agent("linear_router", task, n_sessions=300, ridge=1e-9)
    agent.fit(make_training_table(task, 50, observations=seen, rewards=rewards))
    expected, *_ = np.linalg.lstsq(np.column_stack([np.ones(50), seen]), rewards, rcond=None)
    np.testing.assert_allclose(agent.coefficients, expected, rtol=0, atol=1e-7)
    best = (unseen @ coefficients + intercepts).argmax(axis=1)
    np.testing.assert_array_equal(agent.select_action(unseen), best)


def test_a_heavy_penalty_leaves_the_best_fixed_llm(make_task, make_training_table):
    task = make_task()
    table = make_training_table(task)
    agent = make_agent("linear_router", task, n_sessions=60, ridge=1e12)
    agent.fit(table)
    assert (agent.select_action(table.observations) == table.rewards.mean(axis=0).argmax()).all()


@pytest.mark.parametrize("ridge", [0.0, np.inf])
def test_hyperparameter_out_of_range_is_refused(ridge, make_task):
    with pytest.raises(ValueError, match=f"LinearRouter: ridge must be None, or positive and finite, got {ridge}"):
        make_agent("linear_router", make_task(), ridge=ridge)


@pytest.mark.parametrize("seed", range(5))
def test_by_default_the_penalty_routes_best_by_leave_one_out(seed, make_task, make_training_table):
    task = make_task(observation_size=12)
    table = make_training_table(task, n_queries=30, seed=seed)
    agent = make_agent("linear_router", task)
    agent.fit(table)
    earned = {}
    for ridge in RIDGES:
        picked = []
        for query in range(30):
            others = np.delete(np.arange(30), query)
            coefficients = ridge_regression(table.observations[others], table.rewards[others], ridge)
            picked.append((with_intercept(table.observations[query]) @ coefficients).argmax())
        earned[ridge] = table.rewards[np.arange(30), picked].mean()
    assert agent.fitted_ridge == max(earned, key=earned.get)
    np.testing.assert_array_equal(
        agent.coefficients, ridge_regression(table.observations, table.rewards, float(agent.fitted_ridge))
    )


def test_copies_of_a_query_are_left_out_together(make_task, make_training_table):
    """Rewards are noise that copies share: a light penalty recalls it, but nobody else knows of it."""
    rng = np.random.default_rng(0)
    task = make_task(2, observation_size=30)
    seen, rewards = (np.repeat(once, 6, axis=0) for once in (rng.normal(size=(40, 30)), rng.random((40, 2))))
    rewards[:, 1] += 0.2
    agent = make_agent("linear_router", task)
    agent.fit(make_training_table(task, n_queries=240, observations=seen, rewards=rewards))
    assert agent.fitted_ridge >= 100


def test_without_two_different_queries_the_penalty_is_the_heaviest(make_task, make_training_table):
    task = make_task()
    agent = make_agent("linear_router", task)
    agent.fit(make_training_table(task, n_queries=3, observations=np.ones((3, 5))))
    assert agent.fitted_ridge == max(RIDGES)


@pytest.mark.parametrize("name", ["linear_router", "knn_router", "hull_router", "uniroute"])
def test_queries_of_one_context_are_no_copies_of_one_another(name, make_task, make_training_table):
    """Two contexts, each with an LLM that is always right there and never elsewhere: the context is all there is."""
    task = make_task(2, observation_size=2)
    contexts = np.repeat(np.eye(2), 20, axis=0)
    agent = make_agent(name, task, n_sessions=2, seed=0)
    right = {"rewards": contexts, "accuracy": contexts, "observations": contexts}
    agent.fit(make_training_table(task, n_queries=40, **right, prompts=np.arange(40)))
    np.testing.assert_array_equal(agent.select_action(np.eye(2)), [0, 1])
