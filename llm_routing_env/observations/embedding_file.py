"""Embeddings beside an outcome table, and their projection to 32 numbers: written once, read at the start."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.tables.check import check_size
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

Vectors = NDArray[np.float32]
PROJECTION_SIZE = 32
_ANEW = "`pickllm embed TABLE` computes them anew."


def project(embeddings: Vectors, is_train: NDArray[np.bool_]) -> Vectors:
    """Return the first 32 principal components, fitted on the train rows only, each row scaled to length 1."""
    centre = embeddings[is_train].mean(axis=0)
    _, _, components = np.linalg.svd(embeddings[is_train] - centre, full_matrices=False)
    components = components[:PROJECTION_SIZE]
    # The sign of a singular vector is arbitrary: fix it, so that machines agree.
    largest = np.abs(components).argmax(axis=1)
    components *= np.sign(components[np.arange(len(components)), largest])[:, None]
    projected = (embeddings - centre) @ components.T
    lengths = np.linalg.norm(projected, axis=1, keepdims=True)
    return np.asarray(projected / np.maximum(lengths, 1e-12), dtype=np.float32)


def embeddings_path(table_path: Path) -> Path:
    """Return where a table's embeddings lie: beside it."""
    return table_path.with_suffix(".embeddings.parquet")


def write_embeddings(path: Path, queries: QuerySet, embeddings: Vectors, model: str) -> None:
    """Write embeddings and their projection by query id, as half floats."""
    is_train = np.array([query.split == "train" for query in queries])
    is_train |= not is_train.any()  # without a train split the projection is fitted on every query
    columns = {"embedding": embeddings, "embedding32": project(embeddings, is_train)}
    arrays = {"query_id": pa.array([query.query_id for query in queries])}
    for name, vectors in columns.items():
        flat = pa.array(vectors.astype(np.float16).ravel())
        arrays[name] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = pa.table(arrays).replace_schema_metadata({"encoder": model})
    # No dictionary: hardly two components are equal, and looking each one up makes reading four times slower.
    pq.write_table(table, path, compression="zstd", use_dictionary=False)


def read_embeddings(table: OutcomeTable, column: str) -> Vectors:
    """Return a table's "embedding" or "embedding32", shape (queries, dimensions), rows of length 1.

    Raises:
        ValueError: If there are none, some query has none, or their file is damaged.
    """
    path = embeddings_path(table.path) if table.path else None
    if path is None or not path.is_file():
        raise ValueError(
            f"The table {table.path} has no embeddings beside it ({path}); observation 'features', 'context' or "
            "'none' need none, and `pickllm embed TABLE` computes them."
        )
    query_ids, vectors = _read_vectors(path, column)
    position = {query_id: row for row, query_id in enumerate(query_ids)}
    missing = [query_id for query_id in table.query_ids if query_id not in position]
    if missing:
        raise ValueError(f"{path}: no embedding for {len(missing)} queries, the first is {missing[0]!r}.")
    vectors = vectors[[position[query_id] for query_id in table.query_ids]]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not ((lengths > 0) & (lengths < np.inf)).all():
        raise ValueError(f"{path}: expected vectors of finite numbers that are not all 0. {_ANEW}")
    return np.asarray(vectors / lengths, dtype=np.float32)


def _read_vectors(path: Path, column: str) -> tuple[list[Any], Vectors]:
    """Return the query ids of a file of embeddings and a vector for each."""
    try:
        with pq.ParquetFile(path) as file:
            check_size(file.metadata, str(path))
            rows = file.read(columns=["query_id", column])
        rows.validate(full=True)  # a damaged file may hold text that is none, and lists that end elsewhere
        lists = rows[column].combine_chunks()
        kind = lists.type
        if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type) or lists.null_count:
            raise pa.ArrowInvalid(f"column {column!r} is {kind}")
        vectors = lists.values.to_numpy(zero_copy_only=False).reshape(len(rows), kind.list_size)
        return rows["query_id"].to_pylist(), vectors.astype(np.float32)
    except (pa.ArrowException, OSError, LookupError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not embeddings that can be read: {error}. {_ANEW}") from error
