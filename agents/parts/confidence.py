"""Upper confidence bounds of means."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.session_array import PerSession, column
from llm_routing_env.agents.parts.state import FloatArray

_TINY = 1e-300


def upper_confidence(means: FloatArray, counts: FloatArray, squared_width: PerSession) -> FloatArray:
    """Return mean + sqrt(squared_width / count), infinite where the count is 0.

    Args:
        means: Shape (sessions, arms).
        counts: Shape (sessions, arms), not necessarily whole numbers.
        squared_width: Squared width of a confidence interval after one pull; one for all sessions, or one per session.
    """
    index: FloatArray = means + np.sqrt(column(squared_width) / np.maximum(counts, _TINY))
    return np.where(counts > 0, index, np.inf)
