"""Softmax regression: a distribution over classes, linear in the query."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.adam import adam
from llm_routing_env.agents.parts.distributions import softmax
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.state import FloatArray

DECAY = 1e-3  # of the squared weights, beside the mean loss; intercepts are not penalised
_STEPS, _LEARNING_RATE = 400, 0.1


def softmax_regression(
    inputs: FloatArray, targets: FloatArray, n_steps: int = _STEPS, weights: FloatArray | None = None
) -> FloatArray:
    """Return the weights with the least cross-entropy, by Adam on all queries at every step.

    Args:
        inputs: Shape (queries, features).
        targets: Distributions over the classes, shape (queries, classes).
        n_steps: Steps of Adam.
        weights: How much each query counts, positive, shape (queries,); None: all the same.

    Returns:
        The intercepts as first row, shape (1 + features, classes).
    """
    features = with_intercept(inputs)
    coefficients = np.zeros((features.shape[1], targets.shape[1]))
    shares = np.ones(len(targets)) if weights is None else weights * (len(targets) / weights.sum())

    def gradient(theta: FloatArray) -> tuple[FloatArray]:
        error = shares[:, None] * (softmax(features @ theta) - targets)
        return (features.T @ error / len(targets) + decay(theta),)

    adam([coefficients], gradient, n_steps=n_steps, learning_rate=_LEARNING_RATE)
    return coefficients


def decay(weights: FloatArray) -> FloatArray:
    """Return the penalty's gradient by weights whose first row are intercepts."""
    pull = DECAY * weights
    pull[0] = 0.0
    return pull
