"""The small network behind NeuralLinear: its gradients, and that it learns what a linear model cannot."""

import numpy as np

from llm_routing_env.agents.feature_network import FeatureNetwork
from llm_routing_env.agents.linear_model import with_intercept


def half_squared_error(network, inputs, actions, rewards):
    predicted = network.features(inputs) @ network.output_weights
    chosen = np.take_along_axis(predicted, actions[:, :, None], axis=2)[..., 0]
    return np.square(chosen - rewards).sum() / 2 / actions.shape[1]


def test_gradients_equal_finite_differences():
    rng = np.random.default_rng(0)
    network = FeatureNetwork(rng.normal(size=(3, 4)), n_rows=2, n_actions=3)
    network.output_weights = rng.normal(size=network.output_weights.shape)
    data = with_intercept(rng.normal(size=(2, 5, 2))), rng.integers(3, size=(2, 5)), rng.normal(size=(2, 5))
    gradients = network._gradients(*data)
    for weights, gradient in zip((network.hidden_weights, network.output_weights), gradients, strict=True):
        for index in [(0, 0, 0), (1, 2, 1), (1, 1, 2)]:
            loss = {}
            for sign in (1, -1):
                weights[index] += sign * 1e-6
                loss[sign] = half_squared_error(network, *data)
                weights[index] -= sign * 1e-6
            np.testing.assert_allclose((loss[1] - loss[-1]) / 2e-6, gradient[index], atol=1e-7)


def test_training_fits_an_exclusive_or():
    rng = np.random.default_rng(1)
    signs = rng.choice([-1.0, 1.0], size=(3, 60, 2))
    data = with_intercept(signs), np.zeros((3, 60), dtype=int), signs.prod(axis=2)
    network = FeatureNetwork(rng.normal(size=(3, 8)), n_rows=3, n_actions=2)
    network.train(*data, n_steps=400, learning_rate=0.05)
    assert half_squared_error(network, *data) < 0.02
