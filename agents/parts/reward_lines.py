"""What an answer of each LLM earns when it is right, and when it is wrong."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.training import TrainingTable

_PRIOR = 1.0  # weight of the common slope, as of a right and three wrong answers or so


def reward_lines(table: TrainingTable) -> FloatArray:
    """Fit each LLM's reward = at_zero + slope x accuracy, by least squares.

    It turns a predicted accuracy into an expected reward whatever the reward's form: both forms are linear in the
    accuracy at a given cost and latency, and those of the LLM are in the two numbers. An LLM that was hardly ever
    right or hardly ever wrong borrows the slope of all.

    Returns:
        at_zero and slope of each LLM, shape (2, LLMs).
    """
    has_cell, means = table.has_cell, table.means("accuracy")
    deviations = np.where(has_cell, table.accuracy - means, 0.0)
    rewards, mean_rewards = np.where(has_cell, table.rewards, 0.0), table.means("rewards")
    covariance, variance = (deviations * rewards).sum(axis=0), np.square(deviations).sum(axis=0)
    common = covariance.sum() / variance.sum() if variance.any() else 0.0
    slopes = (covariance + _PRIOR * common) / (variance + _PRIOR)
    return np.array([mean_rewards - slopes * means, slopes])
