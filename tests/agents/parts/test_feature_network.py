"""The small network behind NeuralLinear: its gradients, and that it learns what a linear model cannot."""

import numpy as np

from llm_routing_env.agents.parts.feature_network import FeatureNetwork
from llm_routing_env.agents.parts.linear_model import with_intercept


def half_squared_error(network, inputs, actions, rewards):
    predicted = network.features(inputs) @ network.output_weights
    chosen = np.take_along_axis(predicted, actions[:, :, None], axis=2)[..., 0]
    return np.square(chosen - rewards).sum() / 2 / actions.shape[1]


def test_gradients_equal_finite_differences():
    rng = np.random.default_rng(0)
    network = FeatureNetwork(rng.normal(size=(3, 4)), n_rows=2, n_actions=3)
    network.output_weights = rng.normal(size=network.output_weights.shape)
    data = with_intercept(rng.normal(size=(2, 5, 2))), rng.integers(3, size=(2, 5)), rng.normal(size=(2, 5))
    inputs, actions, rewards = data
    gradients = network._gradients(inputs, rewards[:, :, None], actions[:, :, None] == np.arange(3))
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


def test_training_on_all_arms_is_training_on_the_arm_asked_where_there_is_one():
    rng = np.random.default_rng(2)
    inputs, targets, weights = (
        with_intercept(rng.normal(size=(20, 3))),
        rng.normal(size=(20, 1)),
        rng.normal(size=(4, 5)),
    )
    one, other = FeatureNetwork(weights, 1, n_actions=1), FeatureNetwork(weights, 1, n_actions=1)
    one.train(inputs[None], np.zeros((1, 20), dtype=int), targets.T, n_steps=7, learning_rate=0.01)
    other.train_on_all(inputs, targets, rng, n_epochs=7, batch_size=20, learning_rate=0.01, weight_decay=0.0)
    np.testing.assert_allclose(other.predict(inputs[None]), one.predict(inputs[None]), rtol=0, atol=1e-9)


def test_weight_decay_shrinks_everything_but_the_intercepts():
    weights = np.random.default_rng(3).normal(size=(4, 5))
    network = FeatureNetwork(weights, 1, n_actions=2)
    # Outputs and targets are 0, so the error pulls nowhere. Two epochs of three batches: six steps.
    network.train_on_all(
        with_intercept(np.ones((5, 3))),
        np.zeros((5, 2)),
        np.random.default_rng(0),
        n_epochs=2,
        batch_size=2,
        learning_rate=0.1,
        weight_decay=0.5,
    )
    np.testing.assert_allclose(network.hidden_weights[0, 0], weights[0])
    np.testing.assert_allclose(network.hidden_weights[0, 1:], weights[1:] * 0.95**6)


def test_rescaling_undoes_a_standardisation():
    rng = np.random.default_rng(4)
    network = FeatureNetwork(rng.normal(size=(4, 5)), 1, n_actions=2)
    network.output_weights = rng.normal(size=network.output_weights.shape)
    inputs = with_intercept(rng.normal(size=(1, 6, 3)))
    standardised = network.predict(inputs)
    network.rescale(np.array([1.0, -2.0]), 3.0)
    np.testing.assert_allclose(network.predict(inputs), 3 * standardised + [1.0, -2.0])
