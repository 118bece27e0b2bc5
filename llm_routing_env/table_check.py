"""Checks of an outcome table: columns and types, values, and a complete grid of (query, LLM, repeat)."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TEXT = ("query_id", "context", "split", "prompt", "llm", "response")
REQUIRED = (*TEXT, "references", "error", "repeat", "cost_usd", "latency_s")


def check_columns(rows: pa.Table, where: str) -> None:
    """Check that every required column is there, with its type."""
    missing = [column for column in REQUIRED if column not in rows.column_names]
    if missing:
        raise ValueError(f"{where}: missing columns {missing}; an outcome table has {list(REQUIRED)}.")
    if not any(name.startswith("accuracy_") for name in rows.column_names):
        raise ValueError(f"{where}: expected at least one accuracy_<scorer> column, found {rows.column_names}.")
    if len(rows) == 0:
        raise ValueError(f"{where}: the table has no rows.")
    for column in TEXT:
        kind = rows.schema.field(column).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise ValueError(f"{where}: column {column!r} must be text, is {kind}.")
    if not pa.types.is_list(rows.schema.field("references").type):
        raise ValueError(f"{where}: column 'references' must be a list of texts.")
    for column in rows.column_names:
        if is_numeric(column):
            kind = rows.schema.field(column).type
            if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
                raise ValueError(f"{where}: column {column!r} must be numeric, is {kind}.")


def is_numeric(column: str) -> bool:
    """Return whether a column of this name holds numbers."""
    return column in ("repeat", "cost_usd", "latency_s") or column.startswith(("accuracy_", "measure_"))


def check_values(rows: pa.Table, where: str) -> None:
    """Check the range of every number; cost_usd and latency_s may be null, but only for the whole table."""
    for column in rows.column_names:
        if not is_numeric(column) or column == "repeat":
            continue
        if column in ("cost_usd", "latency_s") and rows[column].null_count == len(rows):
            continue
        values = rows[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
        if column.startswith("accuracy_"):
            good, expected = (values >= 0) & (values <= 1), "a number in [0, 1]"
        else:
            good, expected = (values >= 0) & (values < np.inf), "a finite number, 0 or more"
        if not good.all():
            _refuse(rows, int(np.argmin(good)), column, expected, where)
    known = pc.is_in(rows["split"].cast(pa.large_string()), pa.array(["train", "test"], pa.large_string()))
    good = known.to_numpy(zero_copy_only=False)
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
    llm = np.array([names.index(name) for name in found])[codes]
    repeat = rows["repeat"].to_numpy(zero_copy_only=False)
    if rows["repeat"].null_count or repeat.min() < 0:
        raise ValueError(f"{where}: column 'repeat' must count from 0, without gaps.")
    shape = (len(query_names), len(names), int(repeat.max()) + 1)
    key = np.ravel_multi_index((queries, llm, repeat.astype(np.int64)), shape)
    order = np.argsort(key, kind="stable")
    counts = np.bincount(key, minlength=int(np.prod(shape)))
    if (counts > 1).any():
        cell = int(np.argmax(counts > 1))
        row = int(np.flatnonzero(key == cell)[1])
        raise ValueError(f"{where}, row {row}: duplicate of {_cell(cell, shape, query_names, names)}.")
    if (counts == 0).any():
        cell = int(np.argmax(counts == 0))
        raise ValueError(
            f"{where}: no row for {_cell(cell, shape, query_names, names)}; "
            "every query needs every LLM, with the same number of repeats."
        )
    return order, names, shape


def _encode(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[Any]]:
    if pa.types.is_dictionary(column.type):  # its dictionary may hold values that no row has
        column = column.cast(column.type.value_type)
    encoded = pc.dictionary_encode(column.combine_chunks())
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()


def _cell(cell: int, shape: tuple[int, int, int], queries: list[Any], llms: tuple[str, ...]) -> str:
    query, llm, repeat = np.unravel_index(cell, shape)
    return f"query {queries[query]!r}, LLM {llms[llm]!r}, repeat {repeat}"
