"""LinUCB: the index by hand, and D5 of the theory for all linear agents."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

COEFFICIENTS = np.array([[0.9, 0.0, 0.1], [0.0, 0.8, 0.2], [0.3, 0.3, 0.6]])


def linear(seen):
    """Return each arm's expected reward, linear in the query."""
    return seen @ COEFFICIENTS.T


def exclusive_or(seen):
    """Return expected rewards that depend on the sign of a product, which no linear model can follow."""
    same_sign = seen[:, 0] * seen[:, 1] > 0
    return np.stack([same_sign, ~same_sign, np.full(len(seen), 0.4)], axis=1).astype(float)


def regret_curve(name, task, expected_rewards, n_rounds=1200, n_sessions=20):
    rng = np.random.default_rng(0)
    agent = make_agent(name, task, n_sessions=n_sessions, seed=0)
    lost = []
    for _ in range(n_rounds):
        seen = rng.normal(size=(n_sessions, 3))
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        means = expected_rewards(seen)
        action = agent.select_action(seen)
        earned = means[np.arange(n_sessions), action]
        agent.update(seen, action, earned + 0.1 * rng.normal(size=n_sessions))
        lost.append((means.max(axis=1) - earned).mean())
    return np.cumsum(lost)


def test_index_is_prediction_plus_uncertainty(make_task):
    agent = make_agent("linucb", make_task(2, observation_size=1), alpha=2.0)
    agent.update([2.0], 0, 1.0)
    # A = I + (1, 2)(1, 2)^T and b = (1, 2); for x = (1, 0): theta^T x = 1/6 and x^T A^-1 x = 5/6. Arm 1 is untouched.
    mean, uncertainty = agent.regressions.predict(np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(mean, [[1 / 6, 0]], atol=1e-15)
    np.testing.assert_allclose(uncertainty, [[np.sqrt(5 / 6), 1]])
    assert agent.select_action([0.0]) == 1
    assert make_agent("linucb", make_task(1, observation_size=1)).select_action([0.0]) == 0


@pytest.mark.parametrize("name", ["linucb", "lin_ts"])
def test_regret_flattens_on_linear_rewards_and_not_on_others(name, make_task):
    task = make_task(3, observation_size=3)
    fitting, misspecified = (regret_curve(name, task, rewards) for rewards in (linear, exclusive_or))
    assert fitting[-1] / fitting[len(fitting) // 2 - 1] < 1.4
    assert misspecified[-1] / misspecified[len(misspecified) // 2 - 1] > 1.85


@pytest.mark.parametrize(("name", "value"), [("alpha", -0.1), ("ridge", 0.0)])
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"LinUCB: {name} must be .*, got {value!r}"):
        make_agent("linucb", make_task(), **{name: value})
