"""Writes imported rows as an outcome table."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.importing.columns import TEXT
from llm_routing_env.importing.files import DataFile
from llm_routing_env.importing.grid import ImportGrid, Mask, make_import_grid
from llm_routing_env.importing.latency import draw_latency, match_llms
from llm_routing_env.importing.rows import ABSENT, COUNTS, NUMBERS, Codes, Rows
from llm_routing_env.importing.scores import Floats
from llm_routing_env.importing.sources import Ints
from llm_routing_env.tables.batches import written_batches
from llm_routing_env.tables.check import OPTIONAL_NUMBERS, check_names
from llm_routing_env.tables.parts import files_sha256
from llm_routing_env.tables.queries import BY_PROMPT, SPLITS, context_fault, split_of
from llm_routing_env.tables.table import SCHEMA_VERSION, OutcomeTable

_BATCH_ROWS = 65_536
_TEXTS = ("query_id", "llm", "prompt", "context", "split", "messages", "error", "finish_reason")


@dataclass(frozen=True)
class Imported:
    """An imported table, and what became of the files.

    Attributes:
        table: The outcome table.
        n_dropped: Queries left out.
        n_again: Rows left out because another is of the same query, LLM and repeat.
        n_left_out: Rows left out by flag or preset.
        n_partial: Pairs of query and LLM that count as missing although they have rows; see `ImportGrid`.
        names: The files' columns by what they were taken for.
        not_read: The files' other columns.
    """

    table: OutcomeTable
    n_dropped: int
    n_again: int
    n_left_out: int
    n_partial: int
    names: Mapping[str, str]
    not_read: tuple[str, ...]


@dataclass(frozen=True)
class ImportOptions:
    """What the files do not say themselves.

    Attributes:
        scorer: What the scores are called: the column becomes `accuracy_<scorer>`.
        drop_incomplete: Leave out queries that lack an LLM or a number, instead of keeping what they have.
        latency_from: A table whose recorded latencies stand in for those the files lack.
        seed: Of the latencies drawn.
        notes: Remarks that stay with the table.
        facts: Further metadata, JSON-plain.
        on_progress: Is told how much is written, from 0 to 1.
    """

    scorer: str = "recorded"
    drop_incomplete: bool = False
    latency_from: OutcomeTable | None = None
    seed: int = 0
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] | None = None
    on_progress: Callable[[float], object] = lambda share: None


def write_table(rows: Rows, files: Sequence[DataFile], out: Path, options: ImportOptions) -> Imported:
    """Write the outcome table of imported rows, and return it as it is read back; the rows are used up.

    Args:
        rows: What the files hold.
        files: Where they are from.
        out: The table's file.
        options: What the files do not say.

    Raises:
        ValueError: For rows that make no grid, or a split or a name that is none; see `make_import_grid`.
    """
    with replacing(out) if out.exists() else nullcontext(out) as place:
        counts = _write(rows, files, place, options)
        rows.forget()  # before the table is read: both may not fit
        table = OutcomeTable.read(place)  # one that cannot be read takes the place of none
    if place is not out:
        del table  # as above
        table = OutcomeTable.read(out)
    return Imported(table, *counts, rows.names, rows.not_read)


def _write(rows: Rows, files: Sequence[DataFile], out: Path, options: ImportOptions) -> tuple[int, int, int, int]:
    """Write the table; return how many queries and rows were left out, and how many pairs are not whole."""
    if not options.scorer:
        raise ValueError("The scorer's name is empty: --scorer-name says what the scores are called.")
    grid = make_import_grid(rows, drop_incomplete=options.drop_incomplete)
    _check_contexts(rows)
    check_names(rows.texts["llm"].texts, "LLMs", str(rows.path))
    if options.latency_from is not None and rows.array("latency_s") is not None:
        name = rows.names["latency_s"]
        raise ValueError(f"{rows.path}: column {name!r} records latencies; leave out --latency-from, or the column.")
    numbers = _numbers(rows, grid, options.scorer)
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "llms": rows.texts["llm"].texts,
        "scorer": options.scorer,
        "source": {
            "files": [{"file": file.path.name, "sha256": files_sha256([file.path])} for file in files],
            "dropped_queries": grid.n_dropped,
        },
        **({} if "split" in rows.texts else {"split": BY_PROMPT}),
        "notes": [*options.notes, *rows.remarks, *_left_out(grid, options)],
        **(options.facts or {}),
    }
    if options.latency_from is not None:
        numbers["latency_s"], said = _simulated(rows, grid, numbers["cost_usd"], options.latency_from, options.seed)
        document |= said
    check_names([options.scorer, document.get("latency", ""), *document["notes"]], "scorer and notes", str(rows.path))
    with written_batches(out, document) as write:
        for batch in _batches(rows, grid, numbers, options):
            write(batch)
    return grid.n_dropped, grid.n_again, rows.n_left_out, grid.n_partial


def _batches(rows: Rows, grid: ImportGrid, numbers: dict[str, Floats], options: ImportOptions) -> Iterator[pa.Table]:
    """Yield the table's rows, in the files' order; every distinct text of a batch is held once."""
    columns = {role: _Texts(rows.texts[role].texts, rows.texts[role].codes) for role in _TEXTS if role in rows.texts}
    columns["split"] = _split(rows)
    references = [json.loads(text) for text in rows.texts["references"].texts] if "references" in rows.texts else []
    n_written = 0
    for start, kept, responses in _kept(rows, grid.is_kept):
        written = slice(n_written, n_written + len(kept))
        texts = {name: column.array(start + kept) for name, column in columns.items()}
        texts["query_id"] = texts["query_id"].dictionary_decode()
        texts["response"] = responses
        texts.setdefault("error", pa.nulls(len(kept), pa.string()))
        codes = rows.texts["references"].codes[start + kept] if references else np.full(len(kept), ABSENT)
        texts["references"] = _lists(references, codes)
        repeat = {"repeat": pa.array(grid.cells[written] % grid.shape[2])}
        yield pa.table(
            texts | repeat | {name: _number_cells(name, values, written) for name, values in numbers.items()}
        )
        n_written += len(kept)
        options.on_progress(n_written / len(grid.cells))


@dataclass(frozen=True)
class _Texts:
    """A column of texts as codes."""

    texts: list[str]
    codes: Codes

    def array(self, places: Ints) -> pa.DictionaryArray:
        """Return some rows; `ABSENT` is null, whatever text it stands by."""
        found = self.codes[places]
        used, codes = np.unique(found, return_inverse=True)
        dictionary = pa.array(["" if code == ABSENT else self.texts[code] for code in used], TEXT)
        mask = found == ABSENT
        return pa.DictionaryArray.from_arrays(
            pa.array(codes.astype(np.int32), mask=mask if mask.any() else None), dictionary
        )


def _kept(rows: Rows, is_kept: Mask) -> Iterator[tuple[int, Ints, pa.Array]]:
    """Yield the first row of each batch, which of the batch's rows are kept, and their responses."""
    if rows.responses is None:
        for start in range(0, rows.n_rows, _BATCH_ROWS):
            kept = np.flatnonzero(is_kept[start : start + _BATCH_ROWS])
            yield start, kept, pa.array([""], TEXT).take(pa.array(np.zeros(len(kept), np.int64)))
        return
    start = 0
    for responses in rows.responses.batches(_BATCH_ROWS):
        kept = np.flatnonzero(is_kept[start : start + len(responses)])
        found = responses if len(kept) == len(responses) else responses.take(pa.array(kept))
        yield start, kept, pc.fill_null(found, "")
        start += len(responses)


def _lists(references: list[list[str]], codes: Codes) -> pa.ListArray:
    used, places = np.unique(codes, return_inverse=True)
    lists = pa.array([[] if code == ABSENT else references[code] for code in used], pa.list_(pa.string()))
    return lists.take(pa.array(places))


def _numbers(rows: Rows, grid: ImportGrid, scorer: str) -> dict[str, Floats]:
    """Return the kept numbers by the names of the table's columns; costs and latencies always."""
    found, are_all_kept = {}, bool(grid.is_kept.all())
    for role in NUMBERS:
        values = rows.array(role)
        if values is not None:
            kept = values if are_all_kept else values[grid.is_kept]
            found[f"accuracy_{scorer}" if role == "accuracy" else role] = kept
        elif role not in OPTIONAL_NUMBERS:
            found[role] = np.full(len(grid.cells), np.nan)
        rows.numbers.pop(role, None)
    return found


def _number_cells(name: str, values: Floats, written: slice) -> pa.Array:
    kind = pa.int64() if name in COUNTS else pa.float64()
    return pa.array(values[written], pa.float64(), from_pandas=True).cast(kind)  # NaN is null


def _left_out(grid: ImportGrid, options: ImportOptions) -> list[str]:
    if not grid.n_dropped:
        return []
    lacks = "an LLM or a number" if options.drop_incomplete else "an LLM with all its numbers"
    fair = " What is left is no fair sample of them." if options.drop_incomplete else ""
    n_queries = grid.n_dropped + grid.shape[0]
    return [f"{grid.n_dropped} of the file's {n_queries} queries left out: each lacks {lacks}.{fair}"]


def _check_contexts(rows: Rows) -> None:
    for code, text in enumerate(rows.texts["context"].texts):
        if fault := context_fault(text):
            row = int(np.argmax(rows.texts["context"].codes == code))
            raise rows.refusal("context", row, "the name of a context", text, fault)
    check_names(rows.texts["context"].texts, "contexts", str(rows.path))


def _split(rows: Rows) -> _Texts:
    """Return the split column: the file's, else a hash of the prompt."""
    if "split" in rows.texts:
        for code, text in enumerate(rows.texts["split"].texts):
            if text not in SPLITS:
                fix = "without --split-column a hash of the prompt decides"
                row = int(np.argmax(rows.texts["split"].codes == code))
                raise rows.refusal("split", row, "'train' or 'test'", text, fix)
        return _Texts(rows.texts["split"].texts, rows.texts["split"].codes)
    by_prompt = np.array([SPLITS.index(split_of(text)) for text in rows.texts["prompt"].texts], dtype=np.int32)
    return _Texts(list(SPLITS), by_prompt[rows.texts["prompt"].codes])


def _simulated(
    rows: Rows, grid: ImportGrid, cost: Floats, source: OutcomeTable, seed: int
) -> tuple[Floats, dict[str, Any]]:
    llms = rows.texts["llm"].texts
    costs: Floats | None = None
    if not np.isnan(cost).any():
        costs = np.full(math.prod(grid.shape), np.nan)
        costs[grid.cells] = cost
        costs = costs.reshape(grid.shape)
    matches = match_llms(llms, costs, source)
    drawn = draw_latency(grid.shape, llms, matches, source, seed)
    origin = source.path.name if source.path else "a table"
    said = {"latency": f"simulated from {origin}", "latency_from": {"sha256": source.sha256, "llms": matches}}
    return drawn.ravel()[grid.cells], said
