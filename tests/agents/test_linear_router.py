"""Linear router: exact on linear data."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


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
    with pytest.raises(ValueError, match=f"LinearRouter: ridge must be positive and finite, got {ridge}"):
        make_agent("linear_router", make_task(), ridge=ridge)
