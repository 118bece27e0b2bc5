"""Copies of a query: what one earned must not be looked up under the other while a router is tried out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.session_array import IntArray

_DECIMALS = 9  # of what the same text's observations agree in


def copy_groups(observations: NDArray[Any], prompts: IntArray | None = None) -> IntArray:
    """Return a number for each query, the same for copies of one, shape (queries,).

    Copies look alike and have the same prompt. Where only a context is seen, all its queries look alike, and are none.

    Args:
        observations: Shape (queries, size); (queries,) for prompts.
        prompts: A number for each query, the same for the same prompt, shape (queries,); None: what looks alike is.
    """
    are_texts = observations.ndim == 1
    groups: IntArray = np.unique(
        observations if are_texts else np.round(observations, _DECIMALS),
        axis=None if are_texts else 0,
        return_inverse=True,
    )[1].reshape(-1)
    if prompts is not None:
        groups = np.unique(np.column_stack([groups, prompts]), axis=0, return_inverse=True)[1].reshape(-1)
    return groups
