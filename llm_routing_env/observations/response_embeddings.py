"""Embeddings of the responses of a table, in a file beside it: what scores without references compare."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.observations.embedding_file import embeddings_path, read_vectors, require_found, write_vectors
from llm_routing_env.observations.embedding_model import Vectors
from llm_routing_env.tables.parts import EMBEDDINGS_SUFFIX
from llm_routing_env.tables.table import OutcomeTable

_KEY, _COLUMN = "sha256", "embedding"
NO_RESPONSE = -1


def response_embeddings_path(table_path: Path) -> Path:
    """Return where the embeddings of a table's responses lie: beside those of its queries."""
    beside = embeddings_path(table_path)
    return beside.with_name(f"{beside.name.removesuffix(EMBEDDINGS_SUFFIX)}.responses{EMBEDDINGS_SUFFIX}")


def different_responses(table: OutcomeTable) -> tuple[list[str], NDArray[np.int64]]:
    """Return every text that some LLM responded with, once, and which of them each call gave.

    Returns:
        The texts, and numbers of shape (queries, LLMs, repeats), `NO_RESPONSE` where a call failed, was not made, or
        gave an empty text.

    Raises:
        ValueError: The table has no responses.
    """
    texts = table.texts("response")
    has_one = np.array([bool(text) for text in texts.flat]).reshape(texts.shape) & ~table.failed
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts[has_one].tolist()))}
    if not numbers:
        raise ValueError(
            f"The table {table.name} has no responses, and without references answers are compared with each other: "
            "import it with the column of the responses, --response-column."
        )
    found = np.full(texts.shape, NO_RESPONSE, dtype=np.int64)
    found[has_one] = [numbers[text] for text in texts[has_one].tolist()]
    return list(numbers), found


def write_response_embeddings(path: Path, texts: list[str], vectors: Vectors, model: str) -> None:
    """Write the embeddings of some texts, shape (texts, dimensions)."""
    write_vectors(path, _KEY, [_digest(text) for text in texts], {_COLUMN: vectors}, model)


@lru_cache(maxsize=2)
def response_embeddings(table: OutcomeTable) -> tuple[Vectors, NDArray[np.int64]]:
    """Return the embedding of every different response, and which each call gave.

    Returns:
        Rows of length 1, shape (texts, dimensions); and numbers of shape (queries, LLMs, repeats), see
        `different_responses`.

    Raises:
        ValueError: The table has no responses, or no embeddings of them beside it; or their file is damaged.
    """
    texts, numbers = different_responses(table)
    path = response_embeddings_path(table.path) if table.path else None
    if path is None or not path.is_file():
        raise ValueError(
            f"The table {table.name} has no embeddings of its responses beside it ({path}): "
            "`pickllm embed TABLE --responses` computes them."
        )
    vectors, is_found = read_vectors(path, _KEY, [_digest(text) for text in texts], _COLUMN)
    require_found(path, is_found, texts, "responses")
    vectors.flags.writeable = numbers.flags.writeable = False
    return vectors, numbers


def encoder_of(path: Path) -> str:
    """Return the model that made the embeddings of a file, "" where it does not say."""
    metadata = pq.read_schema(path).metadata or {}
    return str(metadata.get(b"encoder", b"").decode("utf-8", "replace"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
