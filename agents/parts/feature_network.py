"""A small multilayer perceptron per session, all sessions trained at once in numpy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np

from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Stateful

# Inputs, targets (broadcast against the outputs), which outputs count, and how much.
Batch = tuple[FloatArray, FloatArray, BoolArray, FloatArray | float]


class FeatureNetwork(Stateful):
    """One hidden layer tanh(x W + c) and a linear output per arm; the hidden units are the features.

    Trained by Adam (Kingma and Ba 2015) on the squared error.

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

    def predict(self, inputs: FloatArray) -> FloatArray:
        """Return the outputs, shape (sessions, queries, arms), for inputs as of `features`."""
        outputs: FloatArray = self.features(inputs) @ self.output_weights
        return outputs

    def rescale(self, means: FloatArray, scale: float) -> None:
        """Multiply the outputs by ``scale`` and add ``means``, one per arm: undoes a standardisation of the targets."""
        self.output_weights *= scale
        self.output_weights[:, 0] += means

    def train(
        self, inputs: FloatArray, actions: IntArray, rewards: FloatArray, n_steps: int, learning_rate: float
    ) -> None:
        """Fit the arms that were asked, on all queries of each session at every step, hence without randomness.

        Args:
            inputs: Shape (sessions, queries, 1 + inputs), see `features`.
            actions: Arms that were asked, shape (sessions, queries).
            rewards: Their rewards, shape (sessions, queries).
            n_steps: Number of steps of Adam.
            learning_rate: Size of a step.
        """
        asked = actions[:, :, None] == np.arange(self.output_weights.shape[2])
        self._descend(repeat((inputs, rewards[:, :, None], asked, 1.0), n_steps), learning_rate)

    def train_on_all(
        self,
        inputs: FloatArray,
        targets: FloatArray,
        rng: np.random.Generator,
        *,
        n_epochs: int,
        batch_size: int,
        learning_rate: float,
        weight_decay: float,
        weights: FloatArray | None = None,
    ) -> None:
        """Fit every arm, in every session, on some queries at a time; those without a target do not count for the arm.

        Args:
            inputs: Shape (queries, 1 + inputs), see `features`.
            targets: Shape (queries, arms), NaN where there is none.
            rng: Draws the order of the queries.
            n_epochs: Passes over the queries.
            batch_size: Queries per step of Adam.
            learning_rate: Size of a step.
            weight_decay: Each step shrinks all weights but the intercepts by ``learning_rate * weight_decay``
                (Loshchilov and Hutter 2019).
            weights: Of the queries' squared errors, shape (queries,); None: 1.
        """
        counts = ~np.isnan(targets)
        shares = np.ones(len(inputs)) if weights is None else weights

        def batches() -> Iterator[Batch]:
            for _ in range(n_epochs):
                order = rng.permutation(len(inputs))
                for start in range(0, len(order), batch_size):
                    chosen = order[start : start + batch_size]
                    yield inputs[None, chosen], targets[None, chosen], counts[None, chosen], shares[None, chosen, None]

        self._descend(batches(), learning_rate, weight_decay)

    def _descend(self, batches: Iterable[Batch], learning_rate: float, weight_decay: float = 0.0) -> None:
        """Take one step of Adam per batch."""
        weights = (self.hidden_weights, self.output_weights)
        moments = [(np.zeros_like(array), np.zeros_like(array)) for array in weights]
        for step, batch in enumerate(batches, start=1):
            for array, gradient, (first, second) in zip(weights, self._gradients(*batch), moments, strict=True):
                first += 0.1 * (gradient - first)
                second += 0.001 * (np.square(gradient) - second)
                unbiased, scale = first / (1 - 0.9**step), second / (1 - 0.999**step)
                array[:, 1:] *= 1 - learning_rate * weight_decay
                array -= learning_rate * unbiased / (np.sqrt(scale) + 1e-8)

    def _gradients(
        self, inputs: FloatArray, targets: FloatArray, counts: BoolArray, weights: FloatArray | float = 1.0
    ) -> tuple[FloatArray, FloatArray]:
        """Return the gradients of half the mean squared error by the hidden and the output weights."""
        features = self.features(inputs)
        error = weights * np.where(counts, features @ self.output_weights - targets, 0.0) / inputs.shape[1]
        by_hidden = (error @ self.output_weights[:, 1:].transpose(0, 2, 1)) * (1 - np.square(features[:, :, 1:]))
        return inputs.transpose(0, 2, 1) @ by_hidden, features.transpose(0, 2, 1) @ error
