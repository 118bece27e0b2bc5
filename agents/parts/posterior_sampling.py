"""Thompson sampling: draw a score for every arm from what is believed of it, and ask the arm with the highest.

The probability that an arm is picked is then an integral, computed here by quadrature rather than from draws. Weights
of off-policy estimates are its inverse, so what counts is its relative error, also for an arm that is hardly asked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_routing_env.agents.parts.distributions import only
from llm_routing_env.agents.parts.state import BoolArray, FloatArray

_TINY = 1e-300
_CLOSEST = 1e-15  # to the ends of [0, 1], where a density may be infinite
_NARROWEST = 1e-100  # whose square is not yet 0
_BLOCK = 2**18  # numbers at once: what fits the cache
# Panels two deviations wide: on each of them a polynomial through ten points is as good as a density.
_EDGES = np.linspace(-8.0, 8.0, 9)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_POWERS = np.arange(1, len(_NODES) + 1)
# From values at the nodes to integrals from -1 to each node.
_INTEGRALS = (
    (_NODES[:, None] ** _POWERS - (-1.0) ** _POWERS) / _POWERS @ np.linalg.inv(_NODES[:, None] ** (_POWERS - 1))
)


def gaussian_probability_of_best(
    mean: FloatArray, deviation: FloatArray, allowed: BoolArray | None = None
) -> FloatArray:
    """Return each arm's probability of having the highest of independent Gaussian scores.

    Args:
        mean: Shape (sessions, arms).
        deviation: Standard deviations, shape (sessions, arms), not negative.
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    gap = mean - only(mean, allowed).max(axis=1, keepdims=True)
    # A certain score gets the least spread that floating point can tell from none.
    spread = np.maximum(np.maximum(deviation, 1e-8 * np.abs(gap)), _NARROWEST)
    edges = gap[:, :, None] + spread[:, :, None] * _EDGES
    return _probability_of_best(_log_normal, (gap, spread), edges, allowed)


def beta_probability_of_best(first: FloatArray, second: FloatArray, allowed: BoolArray | None = None) -> FloatArray:
    """Return each arm's probability of having the highest of independent Beta(first, second) scores.

    Integrates over the logarithm of the odds, where all Beta densities are smooth.

    Args:
        first: Parameters, shape (sessions, arms), positive.
        second: Parameters, shape (sessions, arms), positive.
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    return _probability_of_best(_log_beta, (first, second), _beta_edges(first, second), allowed)


def scaled_beta_probability_of_best(
    first: FloatArray, second: FloatArray, base: FloatArray, gain: FloatArray, allowed: BoolArray | None = None
) -> FloatArray:
    """Return each arm's probability of having the highest of the scores base + gain * Beta(first, second).

    Args:
        first: Parameters, shape (sessions, arms), positive.
        second: Parameters, shape (sessions, arms), positive.
        base: Lowest scores, shape (sessions, arms).
        gain: What the Beta variables are multiplied by, shape (sessions, arms).
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    highest = np.where(gain < 0, base, base + gain)
    # What is not scaled at all gets the least width that floating point can tell from none.
    width = np.maximum(np.abs(gain), 1e-8 * np.maximum(np.abs(base), 1.0))
    flipped = np.where(gain < 0, second, first), np.where(gain < 0, first, second)
    edges = _beta_edges(*flipped)
    edges[..., 0], edges[..., -1] = -np.inf, np.inf  # where the density ends is smooth only on one side
    scores = (highest - width)[..., None] + width[..., None] / (1 + np.exp(-edges))
    return _probability_of_best(_log_scaled_beta, (*flipped, highest - width, width), scores, allowed)


def _beta_edges(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return where to cut the logarithm of the odds of Beta variables, shape (sessions, arms, edges)."""
    mode, spread = np.log(first / second), np.sqrt(1 / first + 1 / second)
    # Tails fall off as exp(first * x) and exp(-second * x), more slowly than a Gaussian's.
    rate = np.where(_EDGES < 0, -first[:, :, None], second[:, :, None])
    edges: FloatArray = mode[:, :, None] + spread[:, :, None] * _EDGES + np.square(_EDGES) / (2 * rate)
    return edges


def _log_normal(mean: FloatArray, deviation: FloatArray, score: FloatArray) -> FloatArray:
    log_density: FloatArray = -np.square((score - mean) / deviation) / 2
    return log_density


def _log_beta(first: FloatArray, second: FloatArray, log_odds: FloatArray) -> FloatArray:
    mode = np.log(first / second)
    highest = first * mode - (first + second) * np.logaddexp(0, mode)
    log_density: FloatArray = first * log_odds - (first + second) * np.logaddexp(0, log_odds) - highest
    return log_density


def _log_scaled_beta(
    first: FloatArray, second: FloatArray, lowest: FloatArray, width: FloatArray, score: FloatArray
) -> FloatArray:
    share = (score - lowest) / width
    inside = np.clip(share, _CLOSEST, 1 - _CLOSEST)
    mean = first / (first + second)
    highest = (first - 1) * np.log(mean) + (second - 1) * np.log1p(-mean)
    log_density = (first - 1) * np.log(inside) + (second - 1) * np.log1p(-inside) - highest
    return np.where((share < 0) | (share > 1), -np.inf, log_density)


def _probability_of_best(
    log_density: Callable[..., FloatArray],
    parameters: tuple[FloatArray, ...],
    edges: FloatArray,
    allowed: BoolArray | None,
) -> FloatArray:
    """Return each arm's probability of having the highest score, sessions in blocks.

    Args:
        log_density: Of a score, its last argument, up to a constant, given the parameters of the arm.
        parameters: Each of shape (sessions, arms).
        edges: Between which each arm's density is smooth, beyond which it is nothing, shape (sessions, arms, edges).
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    wins = np.empty_like(parameters[0])
    n_arms = wins.shape[1]
    size = max(1, _BLOCK // (n_arms * n_arms * len(_EDGES) * len(_NODES)))
    for start in range(0, len(wins), size):
        rows = slice(start, start + size)
        # Any arm's edges cut for all arms: a panel is never wider than the narrowest density on it.
        cuts = np.sort(edges[rows].reshape(-1, n_arms * len(_EDGES)), axis=1)
        half = np.diff(cuts, axis=1)[:, :, None] / 2
        scores = cuts[:, :-1, None] + half * (1 + _NODES)
        density = np.exp(log_density(*(numbers[rows, :, None, None] for numbers in parameters), scores[:, None]))
        wins[rows] = _win(density * half[:, None], None if allowed is None else allowed[rows])
    return _shares(wins, allowed)


def _win(density: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Integrate, for each arm, its density times the probability that all others are below.

    Args:
        density: Per width of a panel, up to a constant factor, shape (sessions, arms, panels, nodes).
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    mass = density @ _WEIGHTS
    total = mass.sum(axis=2)[:, :, None, None]
    below = (mass.cumsum(axis=2) - mass)[..., None] + density @ _INTEGRALS.T
    log_below = np.log(np.maximum(below / total, _TINY))
    if allowed is not None:
        log_below[~allowed] = 0.0
    others_below = np.exp(log_below.sum(axis=1, keepdims=True) - log_below)
    wins: FloatArray = (density / total * others_below @ _WEIGHTS).sum(axis=2)
    return wins


def _shares(wins: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Rescale to a sum of 1, which the quadrature misses by its error."""
    kept = wins if allowed is None else np.where(allowed, wins, 0.0)
    shares: FloatArray = kept / kept.sum(axis=1, keepdims=True)
    return shares
