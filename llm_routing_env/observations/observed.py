"""What is seen of each query of a table: encoded once, checked, and the space it lies in."""

from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from llm_routing_env.agents.parts.task import PROMPT
from llm_routing_env.observations.encoders import Encoder, encoder
from llm_routing_env.tables.table import OutcomeTable

ARRAY = "array"


def observe(table: OutcomeTable, observation: str | NDArray[Any]) -> NDArray[Any]:
    """Return every query's observation, shape (queries, size), float32, read-only; for "prompt" the texts, (queries,).

    Args:
        table: The table the queries are of.
        observation: A name of `ENCODERS`, ``my_module:my_function``, several of these joined by "+", or the vectors
            themselves, a row per query in the table's order.

    Raises:
        ValueError: If there is no such encoder, the table has none of it, or what it gives are not finite numbers of
            that shape.
    """
    if not isinstance(observation, str):
        vectors = _checked(observation, "the array", table.n_queries).copy()
        vectors.flags.writeable = False
        return vectors
    names = tuple(observation.split("+"))
    if PROMPT in names and len(names) > 1:
        raise ValueError(f'Observation {observation!r}: the text of "prompt" cannot be joined with numbers.')
    # By function, not by name: a module that was reloaded is asked again.
    return _encoded(table, names, tuple(encoder(name) for name in names))


def kind_of(observation: str | NDArray[Any]) -> str:
    """Return the name that tasks and agents know an observation by: its text, or "array"."""
    return observation if isinstance(observation, str) else ARRAY


def observation_size(seen: NDArray[Any]) -> int:
    """Return the length of one observation vector; 0 for texts."""
    return seen.shape[1] if seen.ndim > 1 else 0


def space_of(seen: NDArray[Any]) -> spaces.Space[Any]:
    """Return the space of observations: vectors, or texts like the table's.

    Vectors lie in Box(-1, 1), as the registered ones do, or as far beyond as the lowest and the highest number of all.
    """
    if seen.ndim > 1:
        return spaces.Box(min(-1.0, float(seen.min())), max(1.0, float(seen.max())), seen.shape[1:], np.float32)
    prompts = seen.tolist()
    characters = "".join(sorted(set().union(*prompts)))
    return spaces.Text(max(map(len, prompts)), min_length=min(map(len, prompts)), charset=characters)


@lru_cache(maxsize=8)
def _encoded(table: OutcomeTable, names: tuple[str, ...], encoders: tuple[Encoder, ...]) -> NDArray[Any]:
    if names == (PROMPT,):
        seen = encoders[0](table)
    else:
        parts = zip(names, encoders, strict=True)
        vectors = [_checked(encode(table), f"the encoder {name!r}", table.n_queries) for name, encode in parts]
        # Of somebody's own function the array may be used again.
        vectors = [one.copy() if ":" in name else one for name, one in zip(names, vectors, strict=True)]
        seen = np.concatenate(vectors, axis=1) if len(vectors) > 1 else vectors[0]
    seen.flags.writeable = False
    return seen


def _checked(values: Any, source: str, n_queries: int) -> NDArray[np.float32]:
    """Return the vectors, or say what was expected and what came."""
    expected = f"Observations of {source} must be finite numbers of shape ({n_queries} queries, size)"
    try:
        found = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise ValueError(f"{expected}: {error}.") from error
    if found.dtype.kind not in "biuf":
        raise ValueError(f"{expected}, got {type(values).__name__} of {found.dtype}.")
    if found.ndim != 2 or found.shape[0] != n_queries or not found.shape[1]:
        raise ValueError(f"{expected}, got shape {found.shape}.")
    with np.errstate(over="ignore"):
        vectors = np.asarray(found, dtype=np.float32)
    if not np.isfinite(vectors).all():
        query, column = np.argwhere(~np.isfinite(vectors))[0]
        raise ValueError(f"{expected}, got {found[query, column]} for query {query} at place {column}.")
    return vectors
