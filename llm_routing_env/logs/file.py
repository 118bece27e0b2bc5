"""Logs on disk: parquet, one row per step, read column by column and written batch by batch."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.logs.columns import COLUMNS, FORMAT, KEY, NEEDED, TERM, VERSION, batch_of, schema_of
from llm_routing_env.logs.log import Log
from llm_routing_env.logs.spool import stream_batches, unfinished

_TEXTS = ("agent", "context", "query_id", "llm")
_BATCH_ROWS = 2**17
_MADE_BY = "`pickllm compare --log-steps`, `LogSteps` and `pickllm import-log` make logs"


def read_log(path: str | Path) -> Log:
    """Read a log; a live one that was interrupted too, as far as it came.

    Raises:
        ValueError: It is no log, or of a newer format, or says what cannot be; names the step.
        FileNotFoundError: There is no such file.
    """
    try:
        rows = _read(Path(path))
        document = _document(rows.schema)
        return _log_of(rows, document)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_log(log: Log, path: str | Path) -> None:
    """Write a log; what was there is as it was until the new one is whole."""
    columns: dict[str, Any] = {name: getattr(log, name) for name in COLUMNS if hasattr(log, name)}
    columns |= {f"{TERM}{name}": values for name, values in log.terms.items()} | dict(log.extra)
    texts = {
        "agent": (log.agent, log.agents),
        "context": (log.context, log.contexts),
        "query_id": (log.query, log.query_ids),
        "llm": (log.action, log.llm_names),
    }
    columns["action_mask"] = log.mask
    metadata = {**log.metadata, "llms": list(log.llm_names)}
    with written_log(path, metadata, list(log.terms), list(log.extra)) as write:
        for start in range(0, len(log), _BATCH_ROWS):
            part = slice(start, start + _BATCH_ROWS)
            batch = {name: None if values is None else values[part] for name, values in columns.items()}
            write(batch | {name: (codes[part], names) for name, (codes, names) in texts.items()})


@contextmanager
def written_log(
    path: str | Path, metadata: Mapping[str, Any], terms: Sequence[str], extra: Sequence[str] = ()
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give what appends rows to a log, see `batch_of`; the file is there once the block ends well.

    Args:
        path: The file.
        metadata: See `Log`.
        terms: Names of the reward's terms.
        extra: Names of further columns of numbers.
    """
    schema = schema_of(metadata, terms, extra)
    with replacing(path) as new, pq.ParquetWriter(new, schema, compression="zstd") as writer:
        yield lambda columns: writer.write_batch(batch_of(columns, schema))


def _read(path: Path) -> pa.Table:
    """Return the rows of a file, texts as codes into a dictionary."""
    spool = path if path.name.endswith(unfinished("").name) else unfinished(path)
    if spool.exists() and (spool == path or not path.exists()):
        return _whole_batches(spool)
    try:
        schema = pq.read_schema(path)
        _document(schema)
        texts = [name for name in _TEXTS if name in schema.names]
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError):
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(f"not a parquet file that can be read: {str(error).rstrip('.')}.") from error


def _whole_batches(spool: Path) -> pa.Table:
    batches = list(stream_batches(spool))
    if not batches:
        raise ValueError("a log that was interrupted before its first row.")
    return pa.Table.from_batches(batches).combine_chunks()


def _document(schema: pa.Schema) -> dict[str, Any]:
    """Return what a log says of all its rows."""
    try:
        document = json.loads((schema.metadata or {})[KEY.encode()])
        version, is_log = document["version"], document["format"] == FORMAT and bool(document["llms"])
    except (KeyError, TypeError, ValueError):
        is_log = False
    if not is_log:
        raise ValueError(f"no log of steps: its metadata has no {KEY!r}; {_MADE_BY}.")
    if not isinstance(version, int) or version > VERSION:
        raise ValueError(f"a log of version {version}, and this release reads {VERSION}: `pip install -U` it.")
    if lacking := [name for name in NEEDED if name not in schema.names]:
        raise ValueError(f"a log must have the columns {', '.join(NEEDED)}; {', '.join(lacking)} is not there.")
    return dict(document)


def _log_of(rows: pa.Table, document: dict[str, Any]) -> Log:
    llm_names = tuple(document["llms"])
    texts = {name: _codes(rows, name) for name in ("agent", "context", "query_id")}
    agents, agent = texts["agent"]
    session, step = (_whole(rows, name) for name in ("session", "step"))
    order = np.lexsort((step, session, agent))
    in_order: Any = slice(None) if (order == np.arange(len(rows))).all() else order  # no copies where none is needed
    known = {*COLUMNS, *(name for name in rows.schema.names if name.startswith(TERM))}
    action = _whole(rows, "action")
    _check_llms(rows, action, llm_names)
    terms = {name.removeprefix(TERM): _number(rows, name) for name in rows.schema.names if name.startswith(TERM)}
    extra = {name: _number(rows, name) for name in rows.schema.names if name not in known}
    numbers = ("reward", "accuracy", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens")
    columns: dict[str, Any] = {name: _number(rows, name) for name in numbers}
    contexts, context = sorted_codes(*texts["context"])
    columns["propensity"] = _propensity(rows)
    columns |= {"agent": agent, "context": context, "query": texts["query_id"][1], "action": action}
    columns |= {"session": session, "step": step, "phase": _whole(rows, "phase")}
    columns["failed"] = np.nan_to_num(_number(rows, "failed")) > 0
    mask = _masks(rows, len(llm_names))
    return Log(
        metadata=document,
        llm_names=llm_names,
        agents=agents,
        contexts=contexts,
        query_ids=texts["query_id"][0],
        mask=None if mask is None else mask[in_order],
        terms={name: values[in_order] for name, values in terms.items()},
        extra={name: values[in_order] for name, values in extra.items()},
        **{name: values[in_order] for name, values in columns.items()},
    )


def sorted_codes(texts: Sequence[str], codes: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return texts in their order, and codes that mean the same."""
    in_order = sorted(texts)
    places = {text: place for place, text in enumerate(in_order)}
    return tuple(in_order), np.array([places[text] for text in texts], dtype=np.int64)[codes]


def _codes(rows: pa.Table, name: str) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the texts of a column, in order of appearance, and which of them each row has; "" where it has none."""
    if name not in rows.schema.names or rows[name].null_count == len(rows):
        return ("",), np.zeros(len(rows), dtype=np.int64)
    column = rows[name]
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    column = column.unify_dictionaries().combine_chunks()
    if column.null_count:
        raise ValueError(f"the column {name!r} is empty in {column.null_count} rows: expected a text in each.")
    return tuple(map(str, column.dictionary.to_pylist())), column.indices.to_numpy().astype(np.int64)


def _number(rows: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a column of numbers; NaN where there is none."""
    if name not in rows.schema.names:
        return np.full(len(rows), np.nan)
    kind = rows.schema.field(name).type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        raise ValueError(f"the column {name!r} must hold numbers, found {kind}.")
    if pa.types.is_boolean(kind):
        return np.asarray(rows[name].cast(pa.int8()).to_numpy(), dtype=np.float64)
    return np.array(rows[name].to_numpy(), dtype=np.float64)


def _propensity(rows: pa.Table) -> NDArray[np.float64]:
    """Return the propensities; one that is not told is null in the file, so that NaN there is a mistake."""
    found = _number(rows, "propensity")
    n_unknown = rows["propensity"].null_count if "propensity" in rows.schema.names else len(rows)
    if np.isnan(found).sum() > n_unknown:
        is_null = np.asarray(rows["propensity"].is_null().to_numpy())
        raise ValueError(f"row {int(np.argmax(np.isnan(found) & ~is_null))}: the propensity is NaN; null: not told.")
    return found


def _whole(rows: pa.Table, name: str) -> NDArray[np.int64]:
    """Return a column of whole numbers; 0 throughout where the file has none of it."""
    if name not in rows.schema.names or rows[name].null_count == len(rows):
        return np.zeros(len(rows), dtype=np.int64)
    if not pa.types.is_integer(rows.schema.field(name).type) or rows[name].null_count:
        raise ValueError(f"the column {name!r} must hold a whole number in each row.")
    return np.array(rows[name].to_numpy(), dtype=np.int64)


def _check_llms(rows: pa.Table, action: NDArray[np.int64], llm_names: Sequence[str]) -> None:
    """Check that the LLM's name, where it is there, is that of the action."""
    names, codes = _codes(rows, "llm")
    if names == ("",):
        return
    if unknown := [name for name in names if name not in llm_names]:
        raise unknown_name("LLM in the log", unknown[0], llm_names)
    wrong = np.array([llm_names.index(name) for name in names], dtype=np.int64)[codes] != action
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"row {row}: the action {action[row]} is not {names[codes[row]]}, see the metadata's llms.")


def _masks(rows: pa.Table, n_llms: int) -> NDArray[np.bool_] | None:
    """Return which LLMs could be asked; None where no row has a mask."""
    if "action_mask" not in rows.schema.names or rows["action_mask"].null_count == len(rows):
        return None
    column = rows["action_mask"].combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0)
    there = np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    flat, lengths = column.flatten(), np.diff(column.offsets.to_numpy())
    if not (lengths[there] == n_llms).all() or flat.null_count:
        raise ValueError(f"every action_mask must have {n_llms} booleans, one per LLM, or be null.")
    masks = np.ones((len(column), n_llms), dtype=bool)
    masks[there] = flat.to_numpy(zero_copy_only=False).reshape(-1, n_llms)
    return masks
