"""KL-UCB: its confidence bounds, and that they beat UCB1's."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.kl_ucb import highest_plausible_mean

MEANS = (0.6, 0.5, 0.45, 0.4)


@pytest.mark.parametrize("mean", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("divergence", [0.01, 0.3])
def test_bound_lies_at_the_given_divergence(mean, divergence):
    q = highest_plausible_mean(np.array([[mean]]), np.array([[divergence]])).item()
    assert mean < q < 1
    kl = mean * np.log(mean / q) + (1 - mean) * np.log((1 - mean) / (1 - q))
    assert kl == pytest.approx(divergence, rel=1e-3)


def test_extreme_means_have_closed_forms():
    # kl(0, q) = -ln(1 - q), and nothing lies above a mean of 1.
    bounds = highest_plausible_mean(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]]))
    np.testing.assert_allclose(bounds, [[1 - np.exp(-0.5), 1.0]], atol=1e-5)


def test_index_uses_time_and_count(make_task, learn):
    agent = make_agent("kl_ucb", make_task(2), normaliser="bounds", log_log_factor=3.0)
    learn(agent, (0, 0.5), (0, 0.5), *[(1, 0.2)] * 6)
    budget = np.log(8) + 3 * np.log(np.log(8))
    expected = highest_plausible_mean(np.array([[0.5, 0.2]]), budget / np.array([[2.0, 6.0]]))
    np.testing.assert_allclose(agent._indices(), expected)


def test_regret_is_below_that_of_ucb1(make_task, bernoulli, play, regret):
    final = {}
    for name in ("ucb1", "kl_ucb"):
        agent = make_agent(name, make_task(4), n_sessions=100, seed=0, normaliser="bounds")
        final[name] = regret(play(agent, bernoulli(*MEANS), 1000), MEANS)[-1]
    assert final["kl_ucb"] < 0.7 * final["ucb1"]


def test_log_log_factor_must_not_be_negative(make_task):
    with pytest.raises(ValueError, match="KLUCB: log_log_factor must be at least 0, got -3"):
        make_agent("kl_ucb", make_task(), log_log_factor=-3)
