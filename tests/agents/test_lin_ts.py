"""Linear Thompson sampling; its regret is tested with that of LinUCB."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_scores_are_distributed_as_from_drawn_coefficients(make_task):
    """theta ~ N(theta_hat, v^2 A^-1) makes theta^T x ~ N(theta_hat^T x, v^2 x^T A^-1 x)."""
    rng = np.random.default_rng(0)
    agent = make_agent("lin_ts", make_task(2, observation_size=2), scale=0.5)
    for _ in range(20):
        agent.update(rng.normal(size=2), int(rng.integers(2)), rng.normal())
    query = np.array([0.4, -0.3])
    inverses, responses = agent.regressions.inverses[0], agent.regressions.responses[0]
    scores = np.stack(
        [
            rng.multivariate_normal(inverse @ response, 0.25 * inverse, size=100_000) @ [1.0, *query]
            for inverse, response in zip(inverses, responses, strict=True)
        ]
    )
    frequencies = np.bincount(scores.argmax(axis=0), minlength=2) / 100_000
    np.testing.assert_allclose(agent.action_probabilities(query), frequencies, atol=0.01)


@pytest.mark.parametrize("name", ["scale", "ridge"])
def test_hyperparameters_out_of_range_are_refused(name, make_task):
    with pytest.raises(ValueError, match=rf"LinTS: {name} must be positive, got 0\.0"):
        make_agent("lin_ts", make_task(), **{name: 0.0})
