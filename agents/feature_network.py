"""A small multilayer perceptron per session, all sessions trained at once in numpy."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.state import FloatArray, IntArray, Stateful


class FeatureNetwork(Stateful):
    """One hidden layer tanh(x W + c) and a linear output per arm; the hidden units are the features.

    Trained by full-batch Adam on the squared error of the arm that was asked, hence without randomness.

    Attributes:
        hidden_weights: W with the intercepts c as first row, shape (sessions, 1 + inputs, hidden units).
        output_weights: With the intercepts as first row, shape (sessions, 1 + hidden units, arms).
    """

    def __init__(self, hidden_weights: FloatArray, n_rows: int, n_actions: int) -> None:
        """Start every session from the same weights.

        Args:
            hidden_weights: Initial weights, shape (1 + inputs, hidden units).
            n_rows: Number of sessions.
            n_actions: Number of arms.
        """
        self.hidden_weights = np.tile(hidden_weights, (n_rows, 1, 1))
        self.output_weights = np.zeros((n_rows, 1 + hidden_weights.shape[1], n_actions))

    def features(self, inputs: FloatArray) -> FloatArray:
        """Return a 1 and the hidden units.

        Args:
            inputs: With a leading 1 per vector, shape (sessions, queries, 1 + inputs).

        Returns:
            Shape (sessions, queries, 1 + hidden units).
        """
        hidden = np.tanh(inputs @ self.hidden_weights)
        return np.concatenate([np.ones((*hidden.shape[:2], 1)), hidden], axis=2)

    def train(
        self, inputs: FloatArray, actions: IntArray, rewards: FloatArray, n_steps: int, learning_rate: float
    ) -> None:
        """Fit the queries of each session by steps of Adam.

        Args:
            inputs: Shape (sessions, queries, 1 + inputs), see `features`.
            actions: Arms that were asked, shape (sessions, queries).
            rewards: Their rewards, shape (sessions, queries).
            n_steps: Number of steps.
            learning_rate: Size of a step.
        """
        weights = (self.hidden_weights, self.output_weights)
        moments = [(np.zeros_like(array), np.zeros_like(array)) for array in weights]
        for step in range(1, n_steps + 1):
            for array, gradient, (first, second) in zip(
                weights, self._gradients(inputs, actions, rewards), moments, strict=True
            ):
                first += 0.1 * (gradient - first)
                second += 0.001 * (np.square(gradient) - second)
                unbiased, scale = first / (1 - 0.9**step), second / (1 - 0.999**step)
                array -= learning_rate * unbiased / (np.sqrt(scale) + 1e-8)

    def _gradients(self, inputs: FloatArray, actions: IntArray, rewards: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of half the mean squared error by the hidden and the output weights."""
        features = self.features(inputs)
        asked = actions[:, :, None] == np.arange(self.output_weights.shape[2])
        error = np.where(asked, features @ self.output_weights - rewards[:, :, None], 0.0) / actions.shape[1]
        by_hidden = (error @ self.output_weights[:, 1:].transpose(0, 2, 1)) * (1 - np.square(features[:, :, 1:]))
        return inputs.transpose(0, 2, 1) @ by_hidden, features.transpose(0, 2, 1) @ error
