"""Thompson sampling with Gaussian posteriors."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_posterior_shrinks_with_every_pull(make_task, learn):
    agent = make_agent("thompson_gaussian", make_task(2), scale=0.6, normaliser="bounds")
    learn(agent, (0, 1.0), (0, 0.5), (0, 0.6))
    mean, deviation = agent._scores(None)
    np.testing.assert_allclose(mean, [[2.1 / 4, 0]])
    np.testing.assert_allclose(deviation, [[0.3, 0.6]])


def test_it_finds_the_best_arm(make_task, bernoulli, play):
    agent = make_agent("thompson_gaussian", make_task(3), n_sessions=200, seed=0, normaliser="bounds")
    assert (play(agent, bernoulli(0.8, 0.4, 0.3), 500)[-100:] == 0).mean() > 0.95


def test_scale_must_be_positive(make_task):
    with pytest.raises(ValueError, match="ThompsonGaussian: scale must be positive, got 0"):
        make_agent("thompson_gaussian", make_task(), scale=0)
