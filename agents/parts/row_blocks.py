"""Matrix products a few rows at a time, for loops of thousands of small ones.

BLAS splits a product over threads from a size on at which their waiting for each other can cost ten times what the
product does, on machines that are busy; it leaves those of a few rows in one thread.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray

ROWS = 8


def product(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return ``left @ right``, shapes (rows, inner) and (inner, columns)."""
    whole = len(left) // ROWS * ROWS
    blocks = left[:whole].reshape(-1, ROWS, left.shape[1]) @ right
    return np.concatenate([blocks.reshape(whole, right.shape[1]), left[whole:] @ right])


def product_over_rows(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return ``left.T @ right``, shapes (rows, inner) and (rows, columns)."""
    whole = len(left) // ROWS * ROWS
    lefts, rights = (values[:whole].reshape(-1, ROWS, values.shape[1]) for values in (left, right))
    summed: FloatArray = (lefts.swapaxes(1, 2) @ rights).sum(axis=0) + left[whole:].T @ right[whole:]
    return summed
