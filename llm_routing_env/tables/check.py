"""Checks of an outcome table: columns and types, values, and a complete grid of (query, LLM, repeat)."""

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.tables.queries import context_fault, is_name

TEXT = ("query_id", "context", "split", "prompt", "llm", "response")
REQUIRED = (*TEXT, "references", "error", "repeat", "cost_usd", "latency_s")


TOKENS = ("prompt_tokens", "completion_tokens")
# What a file may declare; a reader makes room for it before it sees that there is nothing behind.
MOST_ROWS, MOST_BYTES = 50_000_000, 2**35
_METADATA: dict[str, type | tuple[type, ...]] = {
    "llms": list,
    "notes": list,
    "pool": dict,
    "latency": str,
    "scorer": str,
    "cost_scale": (int, float),
}


def check_size(metadata: Any, where: str) -> None:
    """Check what a parquet file's footer says of its size, before anything is read."""
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    n_rows, n_bytes = sum(group.num_rows for group in groups), sum(group.total_byte_size for group in groups)
    if n_rows > MOST_ROWS or n_bytes > MOST_BYTES:
        raise ValueError(
            f"{where}: declares {n_rows} rows and {n_bytes} bytes; at most {MOST_ROWS} and {MOST_BYTES} are read."
        )


def read_metadata(rows: pa.Table, where: str) -> dict[str, Any]:
    """Return what a table says of itself, with the types that are relied on.

    Raises:
        ValueError: It is not JSON, or names what cannot be.
    """
    try:
        said = json.loads((rows.schema.metadata or {}).get(b"pickllm", b"{}"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: its metadata is not JSON: {error}.") from error
    if not isinstance(said, dict):
        raise ValueError(f"{where}: its metadata must be a JSON object, is {said!r}.")
    for key, kind in _METADATA.items():
        if key in said and not isinstance(said[key], kind):
            raise ValueError(f"{where}: its metadata has {key} {said[key]!r}, which is of the wrong type.")
    scale = said.get("cost_scale", 1.0)
    if scale == scale and not 0 <= scale < 1e300:  # not a number: a table without costs
        raise ValueError(f"{where}: its metadata has cost_scale {scale!r}; expected a finite number, 0 or more.")
    texts = [*said.get("llms", ()), *said.get("notes", ()), said.get("latency", "")]
    _check_names(texts, "its metadata", where)
    return said


def check_columns(rows: pa.Table, where: str) -> None:
    """Check that every required column is there, with its type."""
    missing = [column for column in REQUIRED if column not in rows.column_names]
    if missing:
        raise ValueError(f"{where}: missing columns {missing}; an outcome table has {list(REQUIRED)}.")
    if len(set(rows.column_names)) < len(rows.column_names):
        raise ValueError(f"{where}: expected columns with unique names, found {rows.column_names}.")
    _check_names(rows.column_names, "columns", where)
    if not any(name.startswith("accuracy_") for name in rows.column_names):
        raise ValueError(f"{where}: expected at least one accuracy_<scorer> column, found {rows.column_names}.")
    if len(rows) == 0:
        raise ValueError(f"{where}: the table has no rows.")
    for column in rows.column_names:
        _check_column(column, rows[column], where)


def _check_column(column: str, values: pa.ChunkedArray, where: str) -> None:
    kind = values.type
    if column in TEXT and not _is_text(kind):
        raise ValueError(f"{where}: column {column!r} must be text, is {kind}.")
    if column == "error" and not (_is_text(kind) or pa.types.is_null(kind)):
        raise ValueError(f"{where}: column 'error' must be text, is {kind}.")
    if column == "references" and not (
        pa.types.is_list(kind) and _is_text(kind.value_type) and not _words(values).null_count
    ):
        raise ValueError(f"{where}: column 'references' must be a list of texts.")
    if column in (*TEXT, "references") and column != "response" and values.null_count:
        raise ValueError(f"{where}: column {column!r} must not be empty in any row.")
    if column == "repeat" and not pa.types.is_integer(kind):
        raise ValueError(f"{where}: column 'repeat' must be numeric, whole numbers, is {kind}.")
    if is_numeric(column) and not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise ValueError(f"{where}: column {column!r} must be numeric, is {kind}.")


def _words(lists: pa.ChunkedArray) -> pa.Array:
    """Return what the lists hold, one after another; Arrow's own `flatten` takes 0.1 s to import."""
    joined = lists.combine_chunks()
    return joined.values[joined.offsets[0].as_py() : joined.offsets[-1].as_py()]


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _check_names(names: Iterable[Any], what: str, where: str) -> None:
    for name in names:
        if not isinstance(name, str) or not is_name(name):
            raise ValueError(f"{where}: {what}: expected text without control characters, found {name!r}.")


def is_numeric(column: str) -> bool:
    """Return whether a column of this name holds numbers."""
    return column in ("repeat", "cost_usd", "latency_s", *TOKENS) or column.startswith(("accuracy_", "measure_"))


def check_values(rows: pa.Table, where: str) -> None:
    """Check the range of every number, and every name.

    cost_usd and latency_s may be null, but only for the whole table.
    """
    contexts = _encode(rows["context"])[1]
    _check_names(contexts, "column 'context'", where)
    for fault in filter(None, map(context_fault, contexts)):
        raise ValueError(f"{where}: {fault}.")
    for column in rows.column_names:
        if not is_numeric(column) or column == "repeat":
            continue
        if column in ("cost_usd", "latency_s") and rows[column].null_count == len(rows):
            continue
        values = rows[column].to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        if column in TOKENS:
            good, expected = np.isnan(values) | ((values >= 0) & (values < 2**53)), "a number of tokens, or null"
        elif column.startswith("accuracy_"):
            good, expected = (values >= 0) & (values <= 1), "a number in [0, 1]"
        else:
            good, expected = (values >= 0) & (values < np.inf), "a finite number, 0 or more"
        if not good.all():
            _refuse(rows, int(np.argmin(good)), column, expected, where)
    splits = rows["split"].to_numpy(zero_copy_only=False)
    good = (splits == "train") | (splits == "test")
    if not good.all():
        _refuse(rows, int(np.argmin(good)), "split", "'train' or 'test'", where)


def _refuse(rows: pa.Table, row: int, column: str, expected: str, where: str) -> None:
    cell = rows[column][row].as_py()
    query, llm = rows["query_id"][row].as_py(), rows["llm"][row].as_py()
    raise ValueError(f"{where}, row {row} (query {query!r}, LLM {llm!r}): {column} must be {expected}, is {cell!r}.")


def grid_order(
    rows: pa.Table, llms: list[str] | None, where: str
) -> tuple[NDArray[np.int64], tuple[str, ...], tuple[int, int, int]]:
    """Return the row order by (query, LLM, repeat), the LLM names, and the grid's shape.

    Queries keep the order of their first row; LLMs the order of `llms`, else of their first row.

    Raises:
        ValueError: For a duplicate row, or a query that lacks an LLM or a repeat.
    """
    queries, query_names = _encode(rows["query_id"])
    codes, found = _encode(rows["llm"])
    names = tuple(llms) if llms is not None else tuple(found)
    if set(names) != set(found):
        raise ValueError(f"{where}: its metadata names the LLMs {list(names)}, its rows {found}.")
    _check_names(names, "LLMs", where)
    llm = np.array([names.index(name) for name in found])[codes]
    repeat = rows["repeat"].to_numpy(zero_copy_only=False)
    # A count beyond the number of rows has gaps, and would make a huge grid.
    if rows["repeat"].null_count or repeat.min() < 0 or repeat.max() >= len(rows):
        raise ValueError(f"{where}: column 'repeat' must count from 0, without gaps.")
    shape = (len(query_names), len(names), int(repeat.max()) + 1)
    key = np.ravel_multi_index((queries, llm, repeat.astype(np.int64)), shape)
    order = np.argsort(key, kind="stable")
    cells = key[order]
    twice = np.flatnonzero(cells[1:] == cells[:-1])
    if len(twice):
        said = _cell(int(cells[twice[0]]), shape, query_names, names)
        raise ValueError(f"{where}, row {order[twice[0] + 1]}: duplicate of {said}.")
    if len(cells) < math.prod(shape):
        cell = int(np.argmax(np.append(cells, -1) != np.arange(len(cells) + 1)))
        raise ValueError(
            f"{where}: no row for {_cell(cell, shape, query_names, names)}; "
            "every query needs every LLM, with the same number of repeats."
        )
    return order, names, shape


def _encode(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    """Return each row's code and what the codes mean, in the order of their first rows."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    encoded = column.unify_dictionaries().combine_chunks()
    codes, values = encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary.to_pylist()
    first_rows = np.full(len(values), len(codes))
    first_rows[codes[::-1]] = np.arange(len(codes))[::-1]  # the last assignment stays
    ordered = np.argsort(first_rows)
    ranks = np.empty_like(ordered)
    ranks[ordered] = np.arange(len(ordered))
    n_found = np.count_nonzero(first_rows < len(codes))  # a dictionary may hold values that no row has
    return ranks[codes], [values[code] for code in ordered[:n_found]]


def _cell(cell: int, shape: tuple[int, int, int], queries: list[Any], llms: tuple[str, ...]) -> str:
    query, llm, repeat = np.unravel_index(cell, shape)
    return f"query {queries[query]!r}, LLM {llms[llm]!r}, repeat {repeat}"
