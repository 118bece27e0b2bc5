"""Thompson sampling: draw a score for every arm from what is believed of it, and ask the arm with the highest.

The probability that an arm is picked is then an integral, computed here by quadrature rather than from draws: weights
of off-policy estimates are its inverse.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from llm_routing_env.agents.base import Agent
from llm_routing_env.agents.distributions import best_arm
from llm_routing_env.agents.state import BoolArray, FloatArray, IntArray

_GRID_SIZE = 500
_TINY = 1e-300
_MIDPOINTS = (np.arange(_GRID_SIZE) + 0.5) / _GRID_SIZE
_NORMAL_QUANTILES = np.array([NormalDist().inv_cdf(level) for level in _MIDPOINTS])


class PosteriorSampling(Agent):
    """Asks the arm with the highest draw. A subclass gives `_draw_scores` and `_probabilities`."""

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> IntArray:
        scores = self._draw_scores(observation)
        return best_arm(scores if allowed is None else np.where(allowed, scores, -np.inf))

    def _draw_scores(self, observation: FloatArray) -> FloatArray:
        """Draw one score per arm from its posterior, shape (sessions, arms)."""
        raise NotImplementedError


class GaussianSampling(PosteriorSampling):
    """Posterior sampling with independent Gaussian scores. A subclass gives `_scores`."""

    def _scores(self, observation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of each arm's score, both of shape (sessions, arms)."""
        raise NotImplementedError

    def _draw_scores(self, observation: FloatArray) -> FloatArray:
        mean, deviation = self._scores(observation)
        return mean + deviation * self._rng.standard_normal(mean.shape)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return gaussian_probability_of_best(*self._scores(observation), allowed)


def gaussian_probability_of_best(
    mean: FloatArray, deviation: FloatArray, allowed: BoolArray | None = None
) -> FloatArray:
    """Return each arm's probability of having the highest of independent Gaussian scores.

    Averages, over an arm's own quantiles, the probability that all others are below.

    Args:
        mean: Shape (sessions, arms).
        deviation: Standard deviations, shape (sessions, arms), not negative.
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    spread = np.maximum(deviation, _TINY)
    wins = np.zeros_like(mean)
    for arm in range(mean.shape[1]):
        score = mean[:, [arm]] + spread[:, [arm]] * _NORMAL_QUANTILES
        below = normal_distribution((score[:, None, :] - mean[:, :, None]) / spread[:, :, None])
        below[:, arm] = 1.0
        if allowed is not None:
            below[~allowed] = 1.0
        wins[:, arm] = below.prod(axis=1).mean(axis=1)
    return _shares(wins, allowed)


def beta_probability_of_best(first: FloatArray, second: FloatArray, allowed: BoolArray | None = None) -> FloatArray:
    """Return each arm's probability of having the highest of independent Beta(first, second) scores.

    Integrates on an even grid of [0, 1].

    Args:
        first: Parameters, shape (sessions, arms), positive.
        second: Parameters, shape (sessions, arms), positive.
        allowed: Arms that take part, shape (sessions, arms); None: all.
    """
    log_density = (first - 1)[:, :, None] * np.log(_MIDPOINTS) + (second - 1)[:, :, None] * np.log1p(-_MIDPOINTS)
    density = np.exp(log_density - log_density.max(axis=2, keepdims=True))
    density /= density.sum(axis=2, keepdims=True)
    log_below = np.log(np.maximum(density.cumsum(axis=2) - density / 2, _TINY))
    if allowed is not None:
        log_below[~allowed] = 0.0
    others_below = np.exp(log_below.sum(axis=1, keepdims=True) - log_below)
    return _shares((density * others_below).sum(axis=2), allowed)


def normal_distribution(z: FloatArray) -> FloatArray:
    """Return the standard normal distribution function (Abramowitz and Stegun 26.2.17, error below 7.5e-8)."""
    z = np.clip(z, -38.0, 38.0)
    t = 1 / (1 + 0.2316419 * np.abs(z))
    polynomial = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    tail = np.exp(-np.square(z) / 2) / np.sqrt(2 * np.pi) * polynomial
    return np.where(z > 0, 1 - tail, tail)


def _shares(wins: FloatArray, allowed: BoolArray | None) -> FloatArray:
    """Rescale to a sum of 1, which the quadrature misses by its error."""
    kept = wins if allowed is None else np.where(allowed, wins, 0.0)
    shares: FloatArray = kept / kept.sum(axis=1, keepdims=True)
    return shares
