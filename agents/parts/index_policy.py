"""Index policies: each arm gets an optimistic estimate of its reward, and the highest one is asked."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.distributions import uniform_over_best
from llm_routing_env.agents.parts.normalisers import UnitRewardAgent
from llm_routing_env.agents.parts.state import BoolArray, FloatArray

_TINY = 1e-300


class IndexPolicy(UnitRewardAgent):
    """Asks the arm with the highest index, ties at random. A subclass gives `_indices`."""

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return uniform_over_best(self._indices(), allowed)

    def _indices(self) -> FloatArray:
        """Return the index of each arm, infinite where it has yet to be asked, shape (sessions, arms)."""
        raise NotImplementedError


def upper_confidence(means: FloatArray, counts: FloatArray, squared_width: float | FloatArray) -> FloatArray:
    """Return mean + sqrt(squared_width / count), infinite where the count is 0.

    Args:
        means: Shape (sessions, arms).
        counts: Shape (sessions, arms), not necessarily whole numbers.
        squared_width: Squared width of a confidence interval after one pull; broadcast against the counts.
    """
    index: FloatArray = means + np.sqrt(squared_width / np.maximum(counts, _TINY))
    return np.where(counts > 0, index, np.inf)
