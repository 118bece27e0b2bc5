"""Encoders, by name: outcome table -> what is seen of each query. To add one: its function, one line in `ENCODERS`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.plug_ins import load
from llm_routing_env.agents.parts.task import PROMPT
from llm_routing_env.observations.embedding_file import read_embeddings
from llm_routing_env.observations.text_features import text_features
from llm_routing_env.tables.table import OutcomeTable

Encoder = Callable[[OutcomeTable], NDArray[Any]]


def embedding(table: OutcomeTable) -> NDArray[np.float32]:
    """Return the sentence embeddings beside the table, rows of length 1."""
    return _within_one(read_embeddings(table, "embedding"))


def embedding32(table: OutcomeTable) -> NDArray[np.float32]:
    """Return their 32 principal components, fitted on the train split, rows of length 1."""
    return _within_one(read_embeddings(table, "embedding32"))


def features(table: OutcomeTable) -> NDArray[np.float32]:
    """Return cheap features of the texts, each in [0, 1]."""
    return text_features([query.prompt for query in table.queries])


def context(table: OutcomeTable) -> NDArray[np.float32]:
    """Return the contexts, one-hot."""
    return np.eye(len(table.contexts), dtype=np.float32)[table.query_contexts]


def constant(table: OutcomeTable) -> NDArray[np.float32]:
    """Return the constant 1, for agents that look at nothing."""
    return np.ones((table.n_queries, 1), dtype=np.float32)


def prompt(table: OutcomeTable) -> NDArray[np.object_]:
    """Return the texts, shape (queries,).

    In an object array they are drawn, batched and handed on like vectors, so nothing else has to know of them.
    """
    return np.array([query.prompt for query in table.queries], dtype=object)


def _within_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the vectors, in place: rounding may leave a length of 1 + 1e-7."""
    return np.clip(vectors, -1.0, 1.0, out=vectors)


ENCODERS: dict[str, Encoder] = {
    "embedding": embedding,
    "embedding32": embedding32,
    "features": features,
    "context": context,
    PROMPT: prompt,
    "none": constant,
}


def encoder(name: str) -> Encoder:
    """Return a registered encoder, or anyone's named ``my_package.my_module:my_function``.

    Raises:
        ValueError: If there is no such encoder, or it is nothing to call.
    """
    if name not in ENCODERS and ":" not in name:
        hint = 'Joined: "context+embedding32". Your own encoder: my_package.my_module:my_function.'
        raise unknown_name("observation", name, ENCODERS, hint)
    found = ENCODERS.get(name) or load("observation", name)
    if not callable(found) or type(found).__hash__ is None:
        raise ValueError(f"Observation {name!r} must be a function of an outcome table, got {found!r}.")
    encode: Encoder = found
    return encode
