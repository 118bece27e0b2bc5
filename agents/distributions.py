"""Distributions over arms, one row per session: mask them, build them from scores, sample them."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.state import BoolArray, FloatArray, IntArray, per_arm


def uniform(n_rows: int, n_actions: int) -> FloatArray:
    """Return equal probabilities, shape (sessions, arms)."""
    return per_arm(n_rows, n_actions, 1 / n_actions)


def restrict(probabilities: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Return a copy conditioned on the allowed arms.

    Args:
        probabilities: Shape (sessions, arms), rows summing to 1.
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.

    Returns:
        Shape (sessions, arms); uniform over the allowed arms in rows that gave them no mass.
    """
    if allowed is None:
        return probabilities.copy()
    kept = np.where(allowed, probabilities, 0.0)
    total = kept.sum(axis=1, keepdims=True)
    fallback = allowed / allowed.sum(axis=1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1.0), fallback)


def uniform_over_best(scores: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Return the greedy distribution: uniform over the allowed arms that share the highest score.

    Args:
        scores: Shape (sessions, arms); infinities are fine.
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.
    """
    best = scores == scores.max(axis=1, keepdims=True)
    if allowed is not None:
        top = np.where(allowed, scores, -np.inf).max(axis=1, keepdims=True)
        best = (scores == top) & allowed
    tied: FloatArray = best / best.sum(axis=1, keepdims=True)
    return tied


def epsilon_greedy(scores: FloatArray, epsilon: float | FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Return the mixture of the greedy distribution and, with weight epsilon, the uniform one over allowed arms.

    Args:
        scores: Shape (sessions, arms).
        epsilon: From 0 to 1; one for all sessions, or shape (sessions, 1).
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.
    """
    explore = 1 / scores.shape[1] if allowed is None else restrict(uniform(*scores.shape), allowed)
    return (1 - epsilon) * uniform_over_best(scores, allowed) + epsilon * explore


def softmax(preferences: FloatArray) -> FloatArray:
    """Return exp(preferences) normalised along the last axis, without overflow."""
    weights = np.exp(preferences - preferences.max(axis=-1, keepdims=True))
    normalised: FloatArray = weights / weights.sum(axis=-1, keepdims=True)
    return normalised


def sample(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw one arm per row by inverse distribution function, with one uniform number per row.

    Args:
        probabilities: Shape (sessions, arms), each row with a positive sum.
        rng: Source of the uniform numbers.

    Returns:
        Shape (sessions,). An arm of probability 0 is never drawn.
    """
    # Arm by arm: numpy's cumsum and sum along so short an axis take three times as long.
    cumulative = probabilities.T.copy()
    for arm in range(1, len(cumulative)):
        cumulative[arm] += cumulative[arm - 1]
    threshold = rng.random(len(probabilities)) * cumulative[-1]
    arms = np.zeros(len(probabilities), dtype=np.int64)
    # u < 1 keeps u * total below the total in floating point too: the last arm needs no comparison.
    for reached in cumulative[:-1]:
        arms += reached <= threshold
    return arms
