"""Checks of an outcome table: its size, metadata, columns and types, and values."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.tables.queries import context_fault, is_name

TEXT = ("query_id", "context", "split", "prompt", "llm", "response")
REQUIRED = (*TEXT, "references", "error", "repeat", "cost_usd", "latency_s")
# What a table may lack, and leave empty: chats as JSON, why an LLM stopped, and what else is known of a call.
OPTIONAL_TEXT = ("messages", "finish_reason")
OPTIONAL_NUMBERS = ("ttft_s", "n_attempts", "wait_s", "cached_tokens", "reasoning_tokens")
_LISTS = "column 'references' must be a list of texts."
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


def read_metadata(schema: pa.Schema, where: str) -> dict[str, Any]:
    """Return what a table says of itself, with the types that are relied on.

    Raises:
        ValueError: It is not JSON, or names what cannot be.
    """
    try:
        said = json.loads((schema.metadata or {}).get(b"pickllm", b"{}"))
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
    check_names(texts, "its metadata", where)
    return said


def check_schema(schema: pa.Schema, n_rows: int, where: str) -> None:
    """Check that every required column is there, with its type."""
    missing = [column for column in REQUIRED if column not in schema.names]
    if missing:
        raise ValueError(f"{where}: missing columns {missing}; an outcome table has {list(REQUIRED)}.")
    if len(set(schema.names)) < len(schema.names):
        raise ValueError(f"{where}: expected columns with unique names, found {schema.names}.")
    check_names(schema.names, "columns", where)
    if not any(name.startswith("accuracy_") for name in schema.names):
        raise ValueError(f"{where}: expected at least one accuracy_<scorer> column, found {schema.names}.")
    if not n_rows:
        raise ValueError(f"{where}: the table has no rows.")
    for field in schema:
        _check_type(field.name, field.type, where)


def _check_type(column: str, kind: pa.DataType, where: str) -> None:
    if column in TEXT and not _is_text(kind):
        raise ValueError(f"{where}: column {column!r} must be text, is {kind}.")
    if column in ("error", *OPTIONAL_TEXT) and not (_is_text(kind) or pa.types.is_null(kind)):
        raise ValueError(f"{where}: column {column!r} must be text, is {kind}.")
    if column == "references" and not (pa.types.is_list(kind) and _is_text(kind.value_type)):
        raise ValueError(f"{where}: {_LISTS}")
    if column == "repeat" and not pa.types.is_integer(kind):
        raise ValueError(f"{where}: column 'repeat' must be numeric, whole numbers, is {kind}.")
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)
    if (is_numeric(column) or column in OPTIONAL_NUMBERS) and not is_number:
        raise ValueError(f"{where}: column {column!r} must be numeric, is {kind}.")


def check_filled(column: str, values: pa.ChunkedArray, where: str) -> None:
    """Check that a column of texts is filled wherever it must be."""
    if column in (*TEXT, "references") and column != "response" and values.null_count:
        raise ValueError(f"{where}: column {column!r} must not be empty in any row.")
    if column == "references" and any(_words(chunk).null_count for chunk in values.chunks):
        raise ValueError(f"{where}: {_LISTS}")


def _words(lists: pa.Array) -> pa.Array:
    """Return what the lists hold, one after another; Arrow's own `flatten` takes 0.1 s to import."""
    return lists.values[lists.offsets[0].as_py() : lists.offsets[-1].as_py()]


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def check_names(names: Iterable[Any], what: str, where: str) -> None:
    """Check that names may be shown."""
    for name in names:
        if not isinstance(name, str) or not is_name(name):
            raise ValueError(f"{where}: {what}: expected text without control characters, found {name!r}.")


def check_contexts(names: Iterable[Any], where: str) -> None:
    """Check that contexts may be shown, and mean nothing else."""
    check_names(names, "column 'context'", where)
    for fault in filter(None, map(context_fault, names)):
        raise ValueError(f"{where}: {fault}.")


def is_numeric(column: str) -> bool:
    """Return whether a column of this name holds numbers."""
    return column in ("repeat", "cost_usd", "latency_s", *TOKENS) or column.startswith(("accuracy_", "measure_"))


def bad_number(column: str, values: NDArray[np.float64]) -> tuple[int, str] | None:
    """Return the first row whose number cannot be and what was expected; None where there is none.

    cost_usd and latency_s may be NaN, but only for the whole table.
    """
    if column in TOKENS:
        good, expected = np.isnan(values) | ((values >= 0) & (values < 2**53)), "a number of tokens, or null"
    elif column.startswith("accuracy_"):
        good, expected = (values >= 0) & (values <= 1), "a number in [0, 1]"
    else:
        good, expected = (values >= 0) & (values < np.inf), "a finite number, 0 or more"
    if good.all() or (column in ("cost_usd", "latency_s") and np.isnan(values).all()):
        return None
    return int(np.argmin(good)), expected
