"""Arrow columns as numpy arrays and Python texts, read from Arrow's buffers.

Arrow's own `to_numpy`, and `pa.array`, import pandas where it is installed, which takes longer than an environment.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_LARGE = (pa.types.is_large_string, pa.types.is_large_binary)
_NUMPY_NAMES = {"halffloat": "f2", "float": "f4", "double": "f8"}


def plain(values: pa.Array) -> NDArray[Any]:
    """Return an array of numbers without looking at nulls, in its own type; it shares Arrow's memory."""
    kind = np.dtype(_NUMPY_NAMES.get(str(values.type), str(values.type)))
    buffer = values.buffers()[1]
    if buffer is None or not len(values):
        return np.empty(0, dtype=kind)
    return np.frombuffer(buffer, kind, len(values), values.offset * kind.itemsize)


def integers(values: NDArray[np.int64]) -> pa.Array:
    """Return whole numbers as an Arrow array that shares their memory."""
    whole = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(whole), [None, pa.py_buffer(whole)])


def numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a column of numbers as floats, NaN where null; shares Arrow's memory where that holds such floats."""
    return joined([_floats(chunk) for chunk in column.chunks])


def counts(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return floats as whole numbers, read-only; 0 where there is none."""
    whole = np.nan_to_num(values).astype(np.int64)
    whole.flags.writeable = False
    return whole


def is_null(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Return which cells of a column are null."""
    return joined([_nulls(chunk) for chunk in column.chunks])


def is_text(column: pa.ChunkedArray, text: str) -> NDArray[np.bool_]:
    """Return which cells of a column of texts are this one."""
    return joined([_equal(chunk, text) for chunk in column.chunks])


def lengths(column: pa.ChunkedArray) -> NDArray[np.int32]:
    """Return how many items each list of a column has; none may be null."""
    return joined([np.diff(plain(chunk.offsets)) for chunk in column.chunks])


def texts(column: pa.ChunkedArray) -> NDArray[np.object_]:
    """Return a column of texts as Python objects, None where null."""
    found = np.empty(len(column), dtype=object)
    found[:] = column.to_pylist()
    return found


def joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays one after another; one alone is not copied."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def codes(column: pa.ChunkedArray) -> tuple[NDArray[np.int32], list[Any]]:
    """Return each row's code and what the codes mean, in the order of their first rows; no row may be null."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    given, values = plain(encoded.indices), encoded.dictionary.to_pylist()
    first_rows = np.full(len(values), len(given))
    first_rows[given[::-1]] = np.arange(len(given))[::-1]  # the last assignment stays
    ordered = np.argsort(first_rows)
    ranks = np.empty(len(ordered), dtype=np.int32)
    ranks[ordered] = np.arange(len(ordered))
    n_found = np.count_nonzero(first_rows < len(given))  # a dictionary may hold values that no row has
    return ranks[given], [values[code] for code in ordered[:n_found]]


def chunk_lengths(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Return `text_lengths` of a column of several chunks."""
    return joined([text_lengths(chunk) for chunk in column.chunks])


def spelled_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of texts, or lists of them, that are no codes into a dictionary."""
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(spelled_type(kind.value_type)))
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def text_lengths(values: pa.Array) -> NDArray[np.int64]:
    """Return how many bytes the texts of each row take, which may be codes, or in lists; 0 for what is no text."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        is_known = ~_nulls(values.indices)
        lengths = np.zeros(len(values), dtype=np.int64)
        lengths[is_known] = _lengths(values.dictionary)[plain(values.indices)[is_known]]
        return lengths
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        ends = np.concatenate([[0], np.cumsum(text_lengths(values.values))])
        return np.diff(ends[plain(values.offsets)])
    if pa.types.is_struct(kind):
        return sum((text_lengths(field) for field in values.flatten()), np.zeros(len(values), dtype=np.int64))
    is_text = any(check(kind) for check in (pa.types.is_string, pa.types.is_binary, *_LARGE))
    return _lengths(values) if is_text else np.zeros(len(values), dtype=np.int64)


def _lengths(texts: pa.Array) -> NDArray[np.int64]:
    """Return the length of each text in bytes."""
    places = texts.buffers()[1]
    if places is None or not len(texts):
        return np.zeros(0, dtype=np.int64)
    is_large = any(check(texts.type) for check in _LARGE)
    offsets = np.frombuffer(places, np.int64 if is_large else np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.diff(offsets).astype(np.int64)


def _floats(values: pa.Array) -> NDArray[np.float64]:
    if pa.types.is_null(values.type):
        return np.full(len(values), np.nan)
    found = plain(values).astype(np.float64, copy=False)
    return np.where(_nulls(values), np.nan, found) if values.null_count else found


def _nulls(values: pa.Array) -> NDArray[np.bool_]:
    if not values.null_count:
        return np.zeros(len(values), dtype=bool)
    if pa.types.is_null(values.type):
        return np.ones(len(values), dtype=bool)
    bits = np.frombuffer(values.buffers()[0], np.uint8)
    is_valid = np.unpackbits(bits, count=values.offset + len(values), bitorder="little")[values.offset :]
    return ~is_valid.astype(bool)


def _equal(values: pa.Array, text: str) -> NDArray[np.bool_]:
    if pa.types.is_null(values.type):
        return np.zeros(len(values), dtype=bool)
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    wanted = [code for code, found in enumerate(encoded.dictionary.to_pylist()) if found == text]
    return np.isin(plain(encoded.indices), wanted) & ~_nulls(encoded)
