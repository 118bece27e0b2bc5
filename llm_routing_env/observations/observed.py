"""What is seen of each query of a table: made once per table and kind, and the space it lies in."""

from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.observations.encoders import OBSERVATIONS, observations
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.text import unknown_name

PROMPT = "prompt"


def observe(table: OutcomeTable, kind: str) -> NDArray[Any]:
    """Return every query's observation, shape (queries, size), read-only; for "prompt" the texts, shape (queries,).

    Texts in an object array are drawn, batched and handed on like vectors, by the table's environments and the live
    ones alike, so nothing else has to know of them.

    Raises:
        ValueError: If there is no such kind, or the table has none of it.
    """
    if kind not in OBSERVATIONS:
        raise unknown_name("observation", kind, OBSERVATIONS)
    return _observe(table, kind)


@lru_cache(maxsize=8)
def _observe(table: OutcomeTable, kind: str) -> NDArray[Any]:
    seen = observations(table, kind)
    if kind != PROMPT:
        seen = np.clip(seen, -1.0, 1.0)  # rounding may leave a length of 1 + 1e-7
    seen.flags.writeable = False
    return seen


def observation_size(seen: NDArray[Any]) -> int:
    """Return the length of one observation vector; 0 for texts."""
    return seen.shape[1] if seen.ndim > 1 else 0


def space_of(seen: NDArray[Any]) -> spaces.Space[Any]:
    """Return the space of observations: vectors of length 1 at most, or texts like the table's."""
    if seen.ndim > 1:
        return spaces.Box(-1.0, 1.0, seen.shape[1:], np.float32)
    prompts = seen.tolist()
    characters = "".join(sorted(set().union(*prompts)))
    return spaces.Text(max(map(len, prompts)), min_length=min(map(len, prompts)), charset=characters)
