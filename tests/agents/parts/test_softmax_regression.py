"""Softmax regression, where the optimum is known."""

import numpy as np

from llm_routing_env.agents.parts.distributions import softmax
from llm_routing_env.agents.parts.softmax_regression import softmax_regression


def test_without_features_it_is_the_mean_of_the_targets():
    targets = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.25, 0.25, 0.5], [1.0, 0.0, 0.0]])
    weights = softmax_regression(np.zeros((4, 2)), targets)
    np.testing.assert_allclose(softmax(weights[0]), targets.mean(axis=0), atol=1e-3)
    np.testing.assert_array_equal(weights[1:], 0)


def test_a_query_counts_as_often_as_its_weight():
    targets = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    weights = softmax_regression(np.zeros((3, 2)), targets, weights=np.array([1.0, 3.0, 4.0]))
    np.testing.assert_allclose(softmax(weights[0]), [0.125, 0.375, 0.5], atol=1e-3)


def test_the_gradient_all_but_vanishes_where_it_ends():
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(50, 3)), rng.dirichlet(np.ones(4), size=50)
    weights = softmax_regression(inputs, targets, n_steps=3000)
    excess = softmax(weights[0] + inputs @ weights[1:]) - targets
    np.testing.assert_allclose(excess.mean(axis=0), 0, atol=5e-3)
    np.testing.assert_allclose(inputs.T @ excess / 50 + 1e-3 * weights[1:], 0, atol=5e-3)
