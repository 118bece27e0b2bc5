"""The columns of a log's file, and its metadata: written by whoever logs, read by `read_log`."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env import __version__

FORMAT, VERSION, KEY = "pickllm-log", 1, "pickllm_log"
TERM = "term_"
COLUMNS: Mapping[str, pa.DataType] = {
    "agent": pa.string(),
    "context": pa.string(),
    "session": pa.int64(),
    "step": pa.int64(),
    "query_id": pa.string(),
    "action_mask": pa.list_(pa.bool_()),
    "action": pa.int64(),
    "llm": pa.string(),
    "propensity": pa.float64(),
    "reward": pa.float64(),
    "accuracy": pa.float64(),
    "cost_usd": pa.float64(),
    "latency_s": pa.float64(),
    "prompt_tokens": pa.int64(),
    "completion_tokens": pa.int64(),
    "failed": pa.bool_(),
    "phase": pa.int64(),
}
NEEDED = ("session", "step", "query_id", "action", "reward")


def schema_of(metadata: Mapping[str, Any], terms: Sequence[str], extra: Sequence[str]) -> pa.Schema:
    """Return the columns of a log, with its metadata.

    Args:
        metadata: What `Log.metadata` says of every row; must be JSON-plain.
        terms: Names of the reward's terms.
        extra: Names of further columns of numbers.
    """
    numbers = [*(f"{TERM}{name}" for name in terms), *extra]
    fields = [*COLUMNS.items(), *((name, pa.float64()) for name in numbers)]
    document = {"format": FORMAT, "version": VERSION, "package_version": __version__, **metadata}
    return pa.schema(fields, metadata={KEY: json.dumps(document)})


def batch_of(columns: Mapping[str, Any], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows of a log.

    Args:
        columns: Arrays of one length; texts as (codes, names); NaN is null. "action_mask" has the shape (rows, LLMs).
        schema: See `schema_of`; columns that are not given are null.
    """
    n_rows = len(columns["step"])
    found = [_array(columns.get(field.name), field.type, n_rows) for field in schema]
    return pa.RecordBatch.from_arrays(found, schema=schema)


def _array(values: Any, kind: pa.DataType, n_rows: int) -> pa.Array:
    if values is None:
        return pa.nulls(n_rows, kind)
    if isinstance(values, tuple):
        codes, names = values
        return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names, pa.string())).cast(kind)
    if pa.types.is_list(kind):
        return _lists(np.asarray(values, dtype=bool))
    found = np.asarray(values)
    if found.dtype.kind == "f":
        whole = np.isnan(found)
        if pa.types.is_integer(kind):
            return pa.array(np.where(whole, 0, found).astype(np.int64), kind, mask=whole)
        return pa.array(found, kind, mask=whole)
    return pa.array(found, kind)


def _lists(masks: NDArray[np.bool_]) -> pa.Array:
    """Return masks as lists; null where every LLM can be asked."""
    is_some = ~masks.all(axis=1)
    ends = np.append(0, np.cumsum(is_some * masks.shape[1])).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(ends, mask=np.append(~is_some, False)), pa.array(masks[is_some].ravel(), pa.bool_())
    )
