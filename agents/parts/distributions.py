"""Distributions over arms, one row per session: mask them, build them from scores, sample them."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, per_arm


def uniform(n_rows: int, n_actions: int) -> FloatArray:
    """Return equal probabilities, shape (sessions, arms)."""
    return per_arm(n_rows, n_actions, 1 / n_actions)


def restrict(probabilities: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Condition on the allowed arms.

    Args:
        probabilities: Shape (sessions, arms), rows summing to 1.
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.

    Returns:
        Shape (sessions, arms), the argument itself if all are allowed; uniform over the allowed arms in rows that
        gave them no mass.
    """
    if allowed is None:
        return probabilities
    kept = np.where(allowed, probabilities, 0.0)
    total = kept.sum(axis=1, keepdims=True)
    fallback = allowed / allowed.sum(axis=1, keepdims=True)
    return np.where(total > 0, kept / np.where(total > 0, total, 1.0), fallback)


def only(scores: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Return the scores, shape (sessions, arms), with minus infinity where an arm is not allowed."""
    return scores if allowed is None else np.where(allowed, scores, -np.inf)


def level(scores: FloatArray, rounding: float | FloatArray) -> FloatArray:
    """Return the scores, those raised to their row's highest that are below it by no more than ``rounding``.

    The same scores from a product of other shapes differ in their last bits, and so would decide ties.
    """
    top = scores.max(axis=1, keepdims=True)
    return np.where(scores >= top - rounding, top, scores)


def uniform_over_best(scores: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Return the greedy distribution: uniform over the allowed arms that share the highest score.

    Args:
        scores: Shape (sessions, arms); infinities are fine.
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.
    """
    if len(scores) == 1 and allowed is None:
        return _epsilon_greedy_row(scores[0].tolist(), 0.0)
    scores = only(scores, allowed)
    best = scores == scores.max(axis=1, keepdims=True)
    if allowed is not None:
        best &= allowed
    shares: FloatArray = best.astype(np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def epsilon_greedy(scores: FloatArray, epsilon: float | FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Return the mixture of the greedy distribution and, with weight epsilon, the uniform one over allowed arms.

    Args:
        scores: Shape (sessions, arms).
        epsilon: From 0 to 1; one for all sessions, or shape (sessions, 1).
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.
    """
    if len(scores) == 1 and allowed is None:
        return _epsilon_greedy_row(scores[0].tolist(), np.asarray(epsilon).item())
    mixture = uniform_over_best(scores, allowed)
    mixture *= 1 - epsilon
    mixture += epsilon * (1 / scores.shape[1] if allowed is None else restrict(uniform(*scores.shape), allowed))
    return mixture


def _epsilon_greedy_row(scores: list[float], epsilon: float) -> FloatArray:
    """Do the same for one session in plain numbers: numpy's calls would take several times as long."""
    top, explore = max(scores), epsilon * (1 / len(scores))
    greedy = (1 - epsilon) * (1 / scores.count(top)) + explore
    return np.array([[greedy if score == top else explore for score in scores]])


def best_arm(scores: FloatArray) -> IntArray:
    """Return the first arm with the highest score, shape (sessions,), for scores of shape (sessions, arms)."""
    if len(scores) == 1:
        first: IntArray = scores.argmax(axis=1)
        return first
    # Arm by arm, as in `sample`: numpy's argmax takes up to four times as long.
    is_worse = scores.max(axis=1) != scores.T
    for arm in range(1, len(is_worse)):
        is_worse[arm] &= is_worse[arm - 1]
    n_worse: IntArray = is_worse.sum(axis=0)
    return n_worse


def softmax(preferences: FloatArray) -> FloatArray:
    """Return exp(preferences) normalised along the last axis, without overflow."""
    weights: FloatArray = preferences - preferences.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def sample(probabilities: FloatArray, rng: np.random.Generator) -> IntArray:
    """Draw one arm per row by inverse distribution function, with one uniform number per row.

    Args:
        probabilities: Shape (sessions, arms), each row with a positive sum.
        rng: Source of the uniform numbers.

    Returns:
        Shape (sessions,). An arm of probability 0 is never drawn.
    """
    if len(probabilities) == 1:
        # The same in plain numbers: with one session numpy's calls would take ten times as long.
        cumulated = list(accumulate(probabilities[0].tolist()))
        return np.array([bisect_right(cumulated, rng.random() * cumulated[-1])])
    # Arm by arm: numpy's cumsum along so short an axis takes three times as long.
    cumulative = probabilities.T.copy()
    for arm in range(1, len(cumulative)):
        cumulative[arm] += cumulative[arm - 1]
    # u < 1 keeps u * total below the total in floating point too: the last arm needs no comparison.
    threshold = rng.random(len(probabilities)) * cumulative[-1]
    arms: IntArray = (cumulative[:-1] <= threshold).sum(axis=0)
    return arms
