"""How far each LLM errs, estimated from how far the LLMs' responses lie from each other, without any label.

Smoothie (Guha et al. 2024, arXiv 2412.04692). The symbols in the comments are the paper's, where delta is the squared
distance and V twice its estimate of an LLM's error.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray

FEWEST = 3  # of two LLMs that differ nobody can say which one errs


def squared_distances(vectors: FloatArray) -> FloatArray:
    """Return the squared distances of each LLM's response from the others'.

    Args:
        vectors: Embeddings, shape (..., LLMs, dimensions); NaN where there is no response.

    Returns:
        Shape (..., LLMs, LLMs), 0 on the diagonal; NaN where one of the two gave no response.
    """
    products = vectors @ np.swapaxes(vectors, -1, -2)
    squares = np.diagonal(products, axis1=-2, axis2=-1)
    found = np.maximum(squares[..., :, None] + squares[..., None, :] - 2 * products, 0.0)
    return np.where(np.eye(found.shape[-1], dtype=bool) & ~np.isnan(found), 0.0, found)


def estimated_errors(distances: FloatArray) -> FloatArray:
    """Return each LLM's squared distance from the truth, if the LLMs err independently of each other.

    Then delta_ij = V_i + V_j for every pair, so that two others tell V_i = (delta_ij + delta_ik - delta_jk) / 2. The
    paper averages that over all pairs j, k, which is (r_i - T / (M - 1)) / (M - 2) for M LLMs, where r_i sums the
    distances of LLM i, and T those of all pairs. It may be below 0: compare it, and do not divide by it.

    Args:
        distances: Squared, shape (..., LLMs, LLMs), see `squared_distances`.

    Returns:
        V, shape (..., LLMs); NaN where an LLM gave no response, or fewer than three did.
    """
    answered = ~np.isnan(np.diagonal(distances, axis1=-2, axis2=-1))
    m = answered.sum(axis=-1, keepdims=True)
    from_others = np.nan_to_num(distances).sum(axis=-1)
    total = from_others.sum(axis=-1, keepdims=True) / 2
    errors = (from_others - total / np.maximum(m - 1, 1)) / np.maximum(m - 2, 1)
    known: FloatArray = np.where(answered & (m >= FEWEST), errors, np.nan)
    return known
