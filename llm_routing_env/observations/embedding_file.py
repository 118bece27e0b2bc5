"""Embeddings beside an outcome table, and their projection to 32 numbers: written once, read at the start."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.tables.arrow import plain
from llm_routing_env.tables.decoded import DecodedSize
from llm_routing_env.tables.parts import EMBEDDINGS_SUFFIX
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

Vectors = NDArray[np.float32]
PROJECTION_SIZE = 32
_AT_CENTRE = 1e-6  # of vectors of length 1, with what rounding leaves
_BATCH_ROWS = 2048
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
    projected[lengths[:, 0] < _AT_CENTRE, 0] = 1.0  # no direction is its own, and a row of zeros is no vector
    return np.asarray(projected / np.linalg.norm(projected, axis=1, keepdims=True), dtype=np.float32)


def embeddings_path(table_path: Path) -> Path:
    """Return where a table's embeddings lie: beside its file, or its folder."""
    path = table_path if table_path.name else table_path.absolute()
    # What follows a dot in the name of a folder is mostly no suffix.
    name = path.name if path.is_dir() and path.suffix != ".parquet" else path.stem
    return path.with_name(f"{name}{EMBEDDINGS_SUFFIX}")


def write_embeddings(path: Path, queries: QuerySet, embeddings: Vectors, model: str) -> None:
    """Write embeddings and their projection by query id, as half floats."""
    is_train = np.array([query.split == "train" for query in queries])
    is_train |= not is_train.any()  # without a train split the projection is fitted on every query
    columns = {"embedding": embeddings, "embedding32": project(embeddings, is_train)}
    write_vectors(path, "query_id", [query.query_id for query in queries], columns, model)


def write_vectors(path: Path, key: str, keys: Sequence[str], columns: Mapping[str, Vectors], model: str) -> None:
    """Write columns of vectors by what they are of, as half floats.

    Args:
        path: Where to.
        key: The name of the column of keys.
        keys: What each row is of.
        columns: Vectors by name, each of shape (keys, dimensions).
        model: Who made them.
    """
    arrays: dict[str, pa.Array] = {key: pa.array(keys, pa.string())}
    for name, vectors in columns.items():
        flat = pa.array(vectors.astype(np.float16).ravel())
        arrays[name] = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    table = pa.table(arrays).replace_schema_metadata({"encoder": model})
    # No dictionary: hardly two components are equal, and looking each one up makes reading four times slower. The bytes
    # of a component apart: its sign and size repeat more than its digits.
    apart = [f"{name}.list.element" for name in columns]
    with replacing(path) as new:
        pq.write_table(
            table, new, compression="zstd", compression_level=19, use_dictionary=False, use_byte_stream_split=apart
        )


def read_embeddings(table: OutcomeTable, column: str) -> Vectors:
    """Return a table's "embedding" or "embedding32", shape (queries, dimensions), rows of length 1.

    Raises:
        ValueError: If there are none, some query has none, or their file is damaged.
    """
    path = embeddings_path(table.path) if table.path else None
    if path is None or not path.is_file():
        raise ValueError(
            f"The table {table.name} has no embeddings beside it ({path}); observation 'features', 'context' or "
            "'none' need none, and `pickllm embed TABLE` computes them."
        )
    vectors, is_found = read_vectors(path, "query_id", table.query_ids, column)
    require_found(path, is_found, table.query_ids, "queries")
    return vectors


def require_found(path: Path, is_found: NDArray[np.bool_], names: Sequence[str], what: str) -> None:
    """Raise ValueError if some of what was asked for has no vector in the file."""
    if not is_found.all():
        first = names[int(np.argmin(is_found))]
        raise ValueError(f"{path}: no embedding for {np.sum(~is_found)} {what}, the first is {first!r:.60}.")


def read_vectors(path: Path, key: str, keys: Sequence[str], column: str) -> tuple[Vectors, NDArray[np.bool_]]:
    """Return the vectors that a file has for some keys, shape (keys, dimensions), rows of length 1; and which it has.

    Args:
        path: A file of `write_vectors`.
        key: The name of its column of keys.
        keys: Those asked for, in order.
        column: The name of the vectors.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=2**20) as file:
            DecodedSize(path, file.metadata, str(path))
            return _read_known(file, path, key, {name: place for place, name in enumerate(keys)}, column)
    except (pa.ArrowException, OSError, LookupError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not embeddings that can be read: {error}. {_ANEW}") from error


def _read_known(
    file: pq.ParquetFile, path: Path, key: str, places: Mapping[str, int], column: str
) -> tuple[Vectors, NDArray[np.bool_]]:
    """Return the vectors of an open file at their places, and which were found; part by part, to hold them once."""
    vectors = np.empty((0, 0), dtype=np.float32)
    is_found = np.zeros(len(places), dtype=bool)
    for rows in file.iter_batches(_BATCH_ROWS, columns=[key, column]):
        rows.validate(full=True)  # a damaged file may hold text that is none, and lists that end elsewhere
        lists, names = rows[column], rows[key].to_pylist()
        size = _dimensions(lists, column)
        if not vectors.size:
            vectors = np.empty((len(places), size), dtype=np.float32)
        known = [row for row, name in enumerate(names) if name in places]
        place = [places[names[row]] for row in known]
        values = plain(lists.values)[lists.offset * size : (lists.offset + len(lists)) * size]
        part = values.reshape(len(lists), size).astype(np.float32)
        part = part if len(known) == len(lists) else part[known]
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        if not ((lengths > 0) & (lengths < np.inf)).all():
            raise ValueError(f"{path}: expected vectors of finite numbers that are not all 0. {_ANEW}")
        part /= lengths
        vectors[place] = part
        is_found[place] = True
    return vectors, is_found


def _dimensions(lists: pa.Array, column: str) -> int:
    kind = lists.type
    is_vectors = pa.types.is_fixed_size_list(kind) and pa.types.is_floating(kind.value_type)
    if not is_vectors or lists.null_count or lists.values.null_count:
        raise pa.ArrowInvalid(f"column {column!r} is {kind}")
    return int(kind.list_size)
