"""Distributions over arms, one row per session: mask them, build them from scores, sample them."""

from __future__ import annotations

from typing import overload

import numpy as np

from llm_routing_env.agents.parts.arm_array import ArmArray, by_session
from llm_routing_env.agents.parts.session_array import PerSession
from llm_routing_env.agents.parts.state import BoolArray, FloatArray

Weights = FloatArray | ArmArray


def uniform(n_rows: int, n_actions: int) -> FloatArray:
    """Return equal probabilities, shape (sessions, arms)."""
    return np.full((n_rows, n_actions), 1 / n_actions)


@overload
def restrict(probabilities: FloatArray, allowed: BoolArray | None) -> FloatArray: ...
@overload
def restrict(probabilities: ArmArray, allowed: BoolArray | None) -> Weights: ...
def restrict(probabilities: Weights, allowed: BoolArray | None) -> Weights:
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


def only(scores: Weights, allowed: BoolArray | None) -> FloatArray:
    """Return the scores, shape (sessions, arms), with minus infinity where an arm is not allowed."""
    return np.asarray(scores) if allowed is None else np.where(allowed, scores, -np.inf)


def level(scores: FloatArray, rounding: float | FloatArray) -> FloatArray:
    """Return the scores, those raised to their row's highest that are below it by no more than ``rounding``.

    The same scores from a product of other shapes differ in their last bits, and so would decide ties.
    """
    top = scores.max(axis=1, keepdims=True)
    return np.where(scores >= top - rounding, top, scores)


def uniform_over_best(scores: Weights, allowed: BoolArray | None) -> FloatArray:
    """Return the greedy distribution: uniform over the allowed arms that share the highest score.

    Args:
        scores: Shape (sessions, arms); infinities are fine.
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.
    """
    return by_session(scores).greedy(0.0, allowed).array


def epsilon_greedy(scores: Weights, epsilon: PerSession, allowed: BoolArray | None) -> FloatArray:
    """Return the mixture of the greedy distribution and, with weight epsilon, the uniform one over allowed arms.

    Args:
        scores: Shape (sessions, arms).
        epsilon: From 0 to 1; one for all sessions, or one per session.
        allowed: Shape (sessions, arms), at least one arm per row; None allows all.
    """
    return by_session(scores).greedy(epsilon, allowed).array


def best_arm(scores: Weights, allowed: BoolArray | None) -> PerSession:
    """Return the first of each session's allowed arms with the highest score; scores of shape (sessions, arms)."""
    return by_session(scores if allowed is None else only(scores, allowed)).argmax()


def softmax(preferences: FloatArray) -> FloatArray:
    """Return exp(preferences) normalised along the last axis, without overflow."""
    weights: FloatArray = preferences - preferences.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights
