"""Makes an outcome table of imported rows."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.importing.columns import TEXT, Floats
from llm_routing_env.importing.grid import ImportGrid, make_import_grid
from llm_routing_env.importing.latency import draw_latency, match_llms
from llm_routing_env.importing.long_form import REMARKS
from llm_routing_env.importing.rows import ABSENT, NUMBERS, Rows
from llm_routing_env.tables.check import OPTIONAL_NUMBERS
from llm_routing_env.tables.queries import SPLITS, context_fault, split_of
from llm_routing_env.tables.table import SCHEMA_VERSION, OutcomeTable

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Imported:
    """An imported table, and what became of the file.

    Attributes:
        table: The outcome table, not yet written.
        n_dropped: Queries left out.
        n_partial: Pairs of query and LLM that count as missing although they have rows; see `ImportGrid`.
        columns: The file's columns by what they were taken for.
        not_read: The file's other columns.
    """

    table: OutcomeTable
    n_dropped: int
    n_partial: int
    columns: Mapping[str, str]
    not_read: tuple[str, ...]


@dataclass(frozen=True)
class ImportOptions:
    """What the file does not say itself.

    Attributes:
        context: The context of every query, where no column says it.
        scorer: What the scores are called: the column becomes `accuracy_<scorer>`.
        drop_incomplete: Leave out queries that lack an LLM or a number, instead of keeping what they have.
        latency_from: A table whose recorded latencies stand in for those the file lacks.
        seed: Of the latencies drawn.
        notes: Remarks that stay with the table.
    """

    context: str | None = None
    scorer: str = "recorded"
    drop_incomplete: bool = False
    latency_from: OutcomeTable | None = None
    seed: int = 0
    notes: tuple[str, ...] = ()


def build_table(rows: Rows, options: ImportOptions) -> Imported:
    """Return the outcome table of imported rows; the rows are used up.

    Raises:
        ValueError: For rows that make no grid, or a split that is none; see `make_import_grid`.
    """
    grid = make_import_grid(rows, drop_incomplete=options.drop_incomplete)
    columns = _query_columns(rows, grid, options) | _number_columns(rows, grid, options)
    metadata: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "llms": rows.texts["llm"].texts,
        "scorer": options.scorer,
        "source": {"file": rows.path.name, "sha256": _sha256(rows.path), "dropped_queries": grid.n_dropped},
        "notes": [*options.notes, *_left_out(grid, options)],
    }
    if options.latency_from is not None:
        columns["latency_s"], said = _simulated(rows, grid, columns["cost_usd"], options.latency_from, options.seed)
        metadata |= said
    in_order = len(grid.order) == len(rows.texts["llm"].codes) and bool((np.diff(grid.order) == 1).all())
    columns["response"] = rows.take_responses(None if in_order else grid.order, len(grid.order))
    table = pa.table(columns).replace_schema_metadata({"pickllm": json.dumps(metadata)})
    names = {role: column.name for role, column in rows.columns.items() if " " not in role}  # not each LLM's own
    return Imported(OutcomeTable(table), grid.n_dropped, grid.n_partial, names, rows.not_read)


def _left_out(grid: ImportGrid, options: ImportOptions) -> list[str]:
    if not grid.n_dropped:
        return []
    lacks = "an LLM or a number" if options.drop_incomplete else "an LLM with all its numbers"
    fair = " What is left is no fair sample of them." if options.drop_incomplete else ""
    n_queries = grid.n_dropped + grid.shape[0]
    return [f"{grid.n_dropped} of the file's {n_queries} queries left out: each lacks {lacks}.{fair}"]


def _query_columns(rows: Rows, grid: ImportGrid, options: ImportOptions) -> dict[str, pa.Array]:
    """Return the columns of texts; every distinct text is held once."""
    columns = {
        "query_id": _texts(rows, "query_id", grid.order).dictionary_decode(),
        "llm": _texts(rows, "llm", grid.order),
        "prompt": _texts(rows, "prompt", grid.order),
        "split": _split(rows, grid.order),
    }
    if options.context is None:
        columns["context"] = _contexts(rows, grid.order)
    elif fault := context_fault(options.context):
        raise ValueError(f"{rows.path}: {fault}.")
    else:
        codes = np.zeros(len(grid.order), dtype=np.int32)
        columns["context"] = pa.DictionaryArray.from_arrays(codes, pa.array([options.context], TEXT))
    columns["references"] = _references(rows, grid.order)
    if "messages" in rows.columns and (rows.texts["messages"].codes[grid.order] != ABSENT).any():
        columns["messages"] = _texts(rows, "messages", grid.order)
    columns["error"] = pa.nulls(len(grid.order), pa.string())
    columns |= {role: _texts(rows, role, grid.order) for role in REMARKS if role in rows.texts}
    return columns


def _number_columns(rows: Rows, grid: ImportGrid, options: ImportOptions) -> dict[str, pa.Array]:
    columns = {"repeat": pa.array(np.tile(np.arange(grid.shape[2]), len(grid.order) // grid.shape[2]))}
    for role in NUMBERS:
        values = rows.array(role)
        if role == "repeat" or (values is None and role in OPTIONAL_NUMBERS):
            continue
        is_count = role.endswith("tokens") or role == "n_attempts"
        kind = pa.int64() if is_count else pa.float64()
        name = f"accuracy_{options.scorer}" if role == "accuracy" else role
        if values is None:
            columns[name] = pa.nulls(len(grid.order), kind)
        else:
            kept = np.round(values[grid.order]) if is_count else values[grid.order]
            columns[name] = pa.array(kept, pa.float64(), from_pandas=True).cast(kind)  # from_pandas: NaN is null
    return columns


def _texts(rows: Rows, role: str, order: Ints) -> pa.DictionaryArray:
    found = rows.texts[role].codes[order]
    used, codes = np.unique(found, return_inverse=True)
    texts = rows.texts[role].texts
    # `ABSENT` is masked, whatever text it stands by.
    dictionary = pa.array(["" if code == ABSENT else texts[code] for code in used], TEXT)
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=found == ABSENT), dictionary)


def _contexts(rows: Rows, order: Ints) -> pa.DictionaryArray:
    for code, text in enumerate(rows.texts["context"].texts):
        if fault := context_fault(text):
            row = int(np.argmax(rows.texts["context"].codes == code))
            raise rows.refusal("context", row, "the name of a context", text, fault)
    return _texts(rows, "context", order)


def _split(rows: Rows, order: Ints) -> pa.DictionaryArray:
    """Return the split column: the file's, else a hash of the prompt."""
    if "split" in rows.texts:
        codes = rows.texts["split"].codes
        for code, text in enumerate(rows.texts["split"].texts):
            if text not in SPLITS:
                fix = "without --split-column a hash of the prompt decides"
                raise rows.refusal("split", int(np.argmax(codes == code)), "'train' or 'test'", text, fix)
        return _texts(rows, "split", order)
    by_prompt = np.array([SPLITS.index(split_of(text)) for text in rows.texts["prompt"].texts], dtype=np.int32)
    codes = by_prompt[rows.texts["prompt"].codes[order]]
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(SPLITS, TEXT))


def _references(rows: Rows, order: Ints) -> pa.ListArray:
    if "references" not in rows.texts:
        return pa.array([[]], pa.list_(pa.string())).take(pa.array(np.zeros(len(order), dtype=np.int64)))
    lists = [json.loads(text) for text in rows.texts["references"].texts]
    encoded = pa.array(lists, pa.list_(pa.dictionary(pa.int32(), pa.string())))
    return encoded.take(pa.array(rows.texts["references"].codes[order]))


def _simulated(
    rows: Rows, grid: ImportGrid, cost: pa.Array, source: OutcomeTable, seed: int
) -> tuple[pa.Array, dict[str, Any]]:
    llms = rows.texts["llm"].texts
    if rows.array("latency_s") is not None:
        name = rows.columns["latency_s"].name
        raise ValueError(f"{rows.path}: column {name!r} records latencies; leave out --latency-from, or the column.")
    costs: Floats | None = None
    if cost.null_count == 0:
        costs = np.full(math.prod(grid.shape), np.nan)
        costs[grid.cells] = cost.to_numpy(zero_copy_only=False)
        costs = costs.reshape(grid.shape)
    matches = match_llms(llms, costs, source)
    drawn = draw_latency(grid.shape, llms, matches, source, seed)
    origin = source.path.name if source.path else "a table"
    said = {"latency": f"simulated from {origin}", "latency_from": {"sha256": source.sha256, "llms": matches}}
    return pa.array(drawn.ravel()[grid.cells]), said


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
