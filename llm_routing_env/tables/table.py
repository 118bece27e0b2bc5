"""Outcome tables: every query on every LLM, recorded with repeats (parquet, schema-checked)."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.tables import arrow
from llm_routing_env.tables.batches import written_batches
from llm_routing_env.tables.check import TOKENS, read_metadata
from llm_routing_env.tables.file import TableFile
from llm_routing_env.tables.notes import table_notes
from llm_routing_env.tables.parts import files_sha256, open_parts, part_paths
from llm_routing_env.tables.queries import QuerySet, query_columns
from llm_routing_env.tables.shipped import FILE, named_file, named_tables
from llm_routing_env.tables.stored import StoredQueries, StoredRows

SCHEMA_VERSION = 1
_KINDS = {column: pa.string() for column in ("error", "response", "messages", "finish_reason")}
_KINDS["references"] = pa.list_(pa.string())
Floats = NDArray[np.float64]


class OutcomeTable:
    """Recorded outcomes as arrays of shape (queries, LLMs, repeats).

    Full information: it holds what every LLM answers to every query, so it is a simulation, not a log of choices. A
    pair of query and LLM may be missing, with all its repeats: its numbers are NaN (tokens 0), its texts None.

    Attributes:
        queries: The queries, in table order.
        query_ids: Their ids.
        query_contexts: For each query, the index of its context in `contexts`.
        contexts: The contexts, sorted.
        is_train: For each query, whether it is of the train split.
        llm_names: The LLMs, in action order.
        n_repeats: Recorded repeats of each query on each LLM.
        present: Booleans of shape (queries, LLMs): the pair is recorded.
        is_complete: Whether every pair is.
        cost_usd, latency_s: Floats of shape (queries, LLMs, repeats); all NaN where the table has no such column.
        accuracies: One such array per scorer, by scorer name.
        measures: One such array per `measure_<name>` column, by name.
        failed: Booleans of the same shape: the call ended in an error.
        metadata: What was recorded about the recording (pool, prices, hardware, versions, cost_scale, load_curve, ...).
    """

    def __init__(self, rows: "pa.Table | Sequence[TableFile]", *, path: Path | None = None) -> None:
        """Check and index a long-form table, one row per (query, LLM, repeat), in any order.

        Texts of files are read, and checked, when they are asked for: `queries`, `text` and `texts` may raise too.

        Raises:
            ValueError: Names the file, the first offending row and what was expected.
        """
        where = str(path or "outcome table")
        self.path = path
        self._files = [] if path is None else part_paths(path)
        parts = [rows] if isinstance(rows, pa.Table) else rows
        self.metadata = read_metadata(parts[0].schema, where)
        self._stored = StoredRows(parts, self.metadata.get("llms"), where)
        grid = self._stored.grid
        self.query_ids, self.llm_names, self.present = grid.query_ids, grid.llm_names, grid.present
        self.n_queries, self.n_llms, self.n_repeats = grid.shape
        self.is_complete = bool(self.present.all())
        self.contexts, self.query_contexts = self._stored.contexts, self._stored.query_contexts
        self.is_train = self._stored.is_train
        self.queries = QuerySet.of_table(StoredQueries(self._stored))
        numbers = self._stored.numbers()
        self.cost_usd, self.latency_s = numbers["cost_usd"], numbers["latency_s"]
        self.accuracies = {name[9:]: numbers[name] for name in numbers if name.startswith("accuracy_")}
        self.measures = {name[8:]: numbers[name] for name in numbers if name.startswith("measure_")}
        self._tokens = {name: arrow.counts(numbers.get(name, np.zeros(grid.shape))) for name in TOKENS}
        self.failed = self._stored.is_filled("error")
        self.metadata.setdefault("cost_scale", float(np.fmax.reduce(self.llm_means(self.cost_usd))))

    @classmethod
    def read(cls, name_or_path: str | Path) -> "OutcomeTable":
        """Read a table by name ("nano"), a parquet file, or a folder of such files, each with some of the rows.

        What is read must stay: texts are read when asked for, from the files whose queries they are of.

        Raises:
            ValueError: For an unknown name, a file that is not parquet, a malformed table, a folder without parquet
                files, or one whose files differ in columns, types or what their metadata says of the numbers.
            ImportError: The table is made of a package's data, which is not installed.
        """
        path = named_file(str(name_or_path)) or Path(name_or_path)
        files = part_paths(path)
        if os.path.isdir(path) and not files:
            raise ValueError(f"{path}: expected a folder of the files of an outcome table, found no *.parquet in it.")
        if not files:
            hint = "Or give the path of an outcome table; `pickllm record` and `pickllm import` make them."
            raise unknown_name("table", str(name_or_path), named_tables(), hint)
        return cls(open_parts(files), path=path)

    @classmethod
    def from_records(
        cls,
        queries: QuerySet,
        llm_names: Iterable[str],
        records: Iterable[Mapping[str, Any]],
        metadata: Mapping[str, Any],
    ) -> "OutcomeTable":
        """Build a table from one record per (query, LLM, repeat).

        Args:
            queries: The queries the records are about.
            llm_names: The LLMs, in action order.
            records: Mappings with query_id, llm, repeat, response, error, prompt_tokens, completion_tokens,
                cost_usd, latency_s, `accuracy_<scorer>` for each scorer, and optionally `measure_<name>`, ttft_s,
                finish_reason, n_attempts, wait_s, cached_tokens and reasoning_tokens.
            metadata: Facts about the recording; must be JSON-plain.
        """
        by_id = {query.query_id: cells for query, cells in zip(queries, query_columns(queries), strict=True)}
        table = pa.Table.from_pylist([by_id[record["query_id"]] | dict(record) for record in records])
        for column, kind in _KINDS.items():  # columns that are empty throughout would otherwise get the null type
            if column in table.column_names:
                table = table.set_column(table.column_names.index(column), column, table[column].cast(kind))
        document = {"schema_version": SCHEMA_VERSION, "llms": list(llm_names), **metadata}
        return cls(_labelled(table, document))

    def write(self, path: str | Path) -> None:
        """Write the table as parquet, rows in (query, LLM, repeat) order; see `written_batches`."""
        with written_batches(path, self._document()) as write:
            write(self._all_rows())
            if self.path is not None and self.path.resolve() == Path(path).resolve():
                self._stored.read_texts()  # what is not read yet would be gone with the file

    @property
    def name(self) -> str:
        """The name that the table is known by, or that of its file or folder; not where it lies on somebody's disk."""
        if self.path is None:
            return "in memory"
        path = self.path.absolute()
        is_named = path.name == FILE and path.parent.name in named_tables()
        return path.parent.name if is_named else path.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must be told; see `table_notes`."""
        return table_notes(self)

    @property
    def failed_share(self) -> dict[str, float]:
        """For each LLM, the share of its calls that failed."""
        return dict(zip(self.llm_names, self.llm_means(self.failed).tolist(), strict=True))

    @cached_property
    def cut(self) -> NDArray[np.bool_] | None:
        """Which answers were cut at `max_tokens`, shape (queries, LLMs, repeats); None where the table cannot tell."""
        has_reasons = "finish_reason" in self._stored.columns
        return self._stored.is_text("finish_reason", "length") if has_reasons else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of everything that is recorded."""
        return self._stored.columns

    @property
    def n_references(self) -> NDArray[np.int32]:
        """For each query, how many references it has."""
        return self._stored.n_references()

    @property
    def scorers(self) -> tuple[str, ...]:
        """Names of the recorded scores."""
        return tuple(self.accuracies)

    @property
    def scorer(self) -> str:
        """The table's own scorer: the one its metadata names, else its first."""
        return str(self.metadata.get("scorer", self.scorers[0]))

    @property
    def cost_scale_usd(self) -> float:
        """Mean cost of the dearest LLM when the table was made: the unit of cost in the reward."""
        return float(self.metadata["cost_scale"])

    @cached_property
    def sha256(self) -> str:
        """Hash of the table's files, see `files_sha256`; of its numbers for a table that was never written."""
        if self._files:
            return files_sha256(self._files)
        arrays = (self.cost_usd, self.latency_s, *self.accuracies.values())
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

    def accuracy(self, scorer: str) -> Floats:
        """Return a scorer's recorded accuracies, shape (queries, LLMs, repeats)."""
        if scorer not in self.accuracies:
            raise unknown_name("scorer", scorer, self.scorers, "These are the scores this table records.")
        return self.accuracies[scorer]

    def llm_means(self, values: NDArray[Any]) -> Floats:
        """Return each LLM's mean over the pairs that are present, NaN where there are none, shape (LLMs,).

        Args:
            values: Of shape (queries, LLMs, repeats).
        """
        if self.is_complete:
            return np.asarray(values.mean(axis=(0, 2)))
        known = [values[self.present[:, llm], llm] for llm in range(self.n_llms)]
        return np.array([of_llm.mean() if of_llm.size else np.nan for of_llm in known])

    def select(self, context: str | None, split: str) -> NDArray[np.int64]:
        """Return the indices of the queries of a context (None: all) and split ("train", "test", "all")."""
        chosen = np.ones(self.n_queries, dtype=bool)
        if split != "all":
            chosen &= self.is_train == (split == "train")
        if context is not None:
            chosen &= self.query_contexts == self.contexts.index(context)
        return np.flatnonzero(chosen)

    def contexts_without(self, split: str) -> tuple[str, ...]:
        """Return the contexts that have no query in a split."""
        return tuple(name for name in self.contexts if not len(self.select(name, split)))

    def resplit(self, queries: NDArray[np.int64], is_train: NDArray[np.bool_]) -> "OutcomeTable":
        """Return some of the queries as a table of their own, with another split.

        Args:
            queries: Indices, rising.
            is_train: For each of them, whether it is of the new train split.

        Raises:
            ValueError: An LLM has no outcome among them.
        """
        is_left = self.present[queries].any(axis=0)
        if not is_left.all():
            name = self.llm_names[int(np.argmin(is_left))]
            raise ValueError(f"The LLM {name!r} was asked none of the {len(queries)} chosen queries of {self.name}.")
        chosen, query_of_row = self._stored.grid.rows_of(queries)
        split = pa.array(np.where(is_train[query_of_row], "train", "test"))
        rows = self._stored.take(chosen)
        rows = rows.set_column(rows.column_names.index("split"), "split", split)
        document = {name: value for name, value in self._document().items() if name != "split"}
        return OutcomeTable(_labelled(rows, document), path=self.path)

    @classmethod
    def concatenate(cls, tables: Sequence["OutcomeTable"], metadata: Mapping[str, Any]) -> "OutcomeTable":
        """Return the queries of several tables of the same LLMs and repeats as one table.

        Args:
            tables: The tables, in order.
            metadata: What replaces the metadata of the first table.
        """
        rows = pa.concat_tables([table._all_rows() for table in tables], promote_options="default")
        document = tables[0]._document() | dict(metadata)
        for name in ("cost_scale", "split"):  # are of all queries, not of the first table's
            document.pop(name, None)
        return cls(_labelled(rows, document))

    def with_metadata(self, facts: Mapping[str, Any]) -> "OutcomeTable":
        """Return the same outcomes with further metadata; `facts` must be JSON-plain."""
        return OutcomeTable(_labelled(self._all_rows(), self._document() | dict(facts)))

    def text(self, column: str, query: int, llm: int, repeat: int) -> str | None:
        """Return one cell of a text column: "response" or "error"."""
        row = self._stored.grid.row(query, llm, repeat)
        cell: str | None = None if row is None else self._stored.text(column, row)
        return cell

    def texts(self, column: str) -> NDArray[np.object_]:
        """Return every cell of a text column, shape (queries, LLMs, repeats)."""
        return self._stored.grid.spread(arrow.texts(self._stored.texts(column)), None)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns of the rows, in batches; a row is a query on an LLM once, in whatever order they lie."""
        return self._stored.batches(columns)

    def integers(self, column: str) -> NDArray[np.int64]:
        """Return "prompt_tokens" or "completion_tokens", shape (queries, LLMs, repeats); 0 where not recorded."""
        return self._tokens[column]

    def _all_rows(self) -> pa.Table:
        return self._stored.take(self._stored.grid.row_order)

    def _document(self) -> dict[str, Any]:
        return {"schema_version": SCHEMA_VERSION, "llms": list(self.llm_names), **self.metadata}


def _labelled(rows: pa.Table, metadata: Mapping[str, Any]) -> pa.Table:
    return rows.replace_schema_metadata({"pickllm": json.dumps(metadata)})
