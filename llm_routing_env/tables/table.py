"""Outcome tables: every query on every LLM, recorded with repeats (parquet, schema-checked)."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.tables.check import check_columns, check_values, grid_order, read_metadata
from llm_routing_env.tables.file import read_rows
from llm_routing_env.tables.notes import table_notes
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.shipped import DATA, shipped_tables
from llm_routing_env.text import unknown_name

SCHEMA_VERSION = 1
QUERY_COLUMNS = ("query_id", "context", "split", "prompt", "references")
Floats = NDArray[np.float64]


class OutcomeTable:
    """Recorded outcomes as arrays of shape (queries, LLMs, repeats).

    Full information: it holds what every LLM answers to every query, so it is a simulation, not a log of choices.

    Attributes:
        queries: The queries, in table order.
        llm_names: The LLMs, in action order.
        n_repeats: Recorded repeats of each query on each LLM.
        cost_usd, latency_s: Floats of shape (queries, LLMs, repeats); all NaN where the table has no such column.
        accuracies: One such array per scorer, by scorer name.
        measures: One such array per `measure_<name>` column, by name.
        failed: Booleans of the same shape: the call ended in an error.
        metadata: What was recorded about the recording (pool, prices, hardware, versions, cost_scale,
            load_curve, ...).
    """

    def __init__(self, rows: pa.Table, *, path: Path | None = None) -> None:
        """Check and index a long-form table, one row per (query, LLM, repeat), in any order.

        Raises:
            ValueError: Names the file, the first offending row and what was expected.
        """
        where = str(path or "outcome table")
        check_columns(rows, where)
        self.metadata = read_metadata(rows, where)
        order, self.llm_names, shape = grid_order(rows, self.metadata.get("llms"), where)
        self._rows = rows if np.array_equal(order, np.arange(len(order))) else rows.take(pa.array(order))
        check_values(rows, where)
        self.path = path
        self.n_queries, self.n_llms, self.n_repeats = shape
        self.cost_usd, self.latency_s = self._floats("cost_usd"), self._floats("latency_s")
        names = rows.column_names
        self.accuracies = {n[9:]: self._floats(n) for n in names if n.startswith("accuracy_")}
        self.measures = {n[8:]: self._floats(n) for n in names if n.startswith("measure_")}
        self._texts = {name: self._rows[name] for name in ("response", "error")}
        self.failed = self.texts("error") != np.array(None)
        self.metadata.setdefault("cost_scale", self._dearest_mean_cost_usd())
        self._integers: dict[str, NDArray[np.int64]] = {}

    @classmethod
    def read(cls, name_or_path: str | Path) -> "OutcomeTable":
        """Read a shipped table by name ("nano"), or a parquet file.

        Raises:
            ValueError: For an unknown name, a file that is not parquet, or a malformed table.
        """
        is_shipped = str(name_or_path) in shipped_tables()
        path = DATA / str(name_or_path) / "outcomes.parquet" if is_shipped else Path(name_or_path)
        if not os.path.isfile(path):
            hint = "Or give the path of an outcome table; `pickllm record` and `pickllm import` make them."
            raise unknown_name("table", str(name_or_path), shipped_tables(), hint)
        return cls(read_rows(path), path=path)

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
                cost_usd, latency_s, `accuracy_<scorer>` for each scorer, and optionally ttft_s and
                `measure_<name>`.
            metadata: Facts about the recording; must be JSON-plain.
        """
        by_id = {query.query_id: query for query in queries}
        rows = [
            {column: getattr(by_id[record["query_id"]], column) for column in QUERY_COLUMNS} | dict(record)
            for record in records
        ]
        table = pa.Table.from_pylist(rows)
        for column in ("error", "response"):  # all-null columns would otherwise get the null type
            table = table.set_column(table.column_names.index(column), column, table[column].cast(pa.string()))
        document = {"schema_version": SCHEMA_VERSION, "llms": list(llm_names), **metadata}
        return cls(table.replace_schema_metadata({"pickllm": json.dumps(document)}))

    def write(self, path: str | Path) -> None:
        """Write the table as parquet, rows in (query, LLM, repeat) order."""
        rows = self._with_metadata(self._rows)
        temporary = Path(f"{path}.partial")  # an interrupted write leaves no half table under the real name
        pq.write_table(rows, temporary, compression="zstd")
        temporary.replace(path)

    @cached_property
    def queries(self) -> QuerySet:
        """The queries, in table order."""
        texts = [self._query_column(column) for column in ("context", "split", "prompt")]
        lists = self._rows["references"].combine_chunks()
        words, bounds = _objects(lists.values).tolist(), lists.offsets.to_numpy()
        firsts = zip(bounds[: -1 : self._stride].tolist(), bounds[1 :: self._stride].tolist(), strict=True)
        references = [tuple(words[start:end]) for start, end in firsts]
        return QuerySet(map(Query, self.query_ids, *texts, references))

    @cached_property
    def query_ids(self) -> tuple[str, ...]:
        """Each query's id, in table order."""
        return tuple(self._query_column("query_id"))

    @cached_property
    def query_contexts(self) -> NDArray[np.int64]:
        """For each query, the index of its context in `contexts`."""
        return np.searchsorted(self.contexts, self._query_column("context").astype(str))

    @cached_property
    def contexts(self) -> tuple[str, ...]:
        """The contexts, sorted."""
        return tuple(sorted(set(self._query_column("context").tolist())))

    @cached_property
    def is_train(self) -> NDArray[np.bool_]:
        """For each query, whether it is of the train split."""
        return np.asarray(self._query_column("split") == "train")

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Whether there are outcomes of an LLM for a query, shape (queries, LLMs)."""
        return np.ones((self.n_queries, self.n_llms), dtype=bool)

    @property
    def name(self) -> str:
        """A shipped table's name, or the name of the file; not where it lies on somebody's disk."""
        if self.path is None:
            return "in memory"
        folder = self.path.parent.name
        return folder if self.path.name == "outcomes.parquet" and folder in shipped_tables() else self.path.name

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must be told; see `table_notes`."""
        return table_notes(self)

    @property
    def failed_share(self) -> dict[str, float]:
        """For each LLM, the share of its calls that failed."""
        return dict(zip(self.llm_names, self.failed.mean(axis=(0, 2)).tolist(), strict=True))

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
        """Hash of the table's file; of its numbers for a table that was never written."""
        if self.path is not None:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        arrays = (self.cost_usd, self.latency_s, *self.accuracies.values())
        return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()

    def accuracy(self, scorer: str) -> Floats:
        """Return a scorer's recorded accuracies, shape (queries, LLMs, repeats)."""
        if scorer not in self.accuracies:
            raise unknown_name("scorer", scorer, self.scorers, "These are the scores this table records.")
        return self.accuracies[scorer]

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
        """
        cells = (queries[:, None] * self._stride + np.arange(self._stride)).ravel()
        split = pa.array(np.where(np.repeat(is_train, self._stride), "train", "test"))
        rows = self._rows.take(pa.array(cells))
        rows = rows.set_column(rows.column_names.index("split"), "split", split)
        return OutcomeTable(self._with_metadata(rows), path=self.path)

    @classmethod
    def concatenate(cls, tables: Sequence["OutcomeTable"], metadata: Mapping[str, Any]) -> "OutcomeTable":
        """Return the queries of several tables of the same LLMs and repeats as one table.

        Args:
            tables: The tables, in order.
            metadata: What replaces the metadata of the first table.
        """
        first = tables[0]
        rows = first._with_metadata(pa.concat_tables([table._rows for table in tables], promote_options="default"))
        document = json.loads(rows.schema.metadata[b"pickllm"]) | dict(metadata)
        document.pop("cost_scale")  # is of all queries, not of the first table's
        return cls(rows.replace_schema_metadata({"pickllm": json.dumps(document)}))

    def with_metadata(self, facts: Mapping[str, Any]) -> "OutcomeTable":
        """Return the same outcomes with further metadata; `facts` must be JSON-plain."""
        document = self._document() | dict(facts)
        return OutcomeTable(self._rows.replace_schema_metadata({"pickllm": json.dumps(document)}))

    def text(self, column: str, query: int, llm: int, repeat: int) -> str | None:
        """Return one cell of a text column: "response" or "error"."""
        cell: str | None = self._texts[column][(query * self.n_llms + llm) * self.n_repeats + repeat].as_py()
        return cell

    def texts(self, column: str) -> NDArray[np.object_]:
        """Return every cell of a text column, shape (queries, LLMs, repeats)."""
        return _objects(self._texts[column]).reshape(self.n_queries, self.n_llms, self.n_repeats)

    def integers(self, column: str) -> NDArray[np.int64]:
        """Return "prompt_tokens" or "completion_tokens", shape (queries, LLMs, repeats); 0 where not recorded."""
        if column not in self._integers:
            known = column in self._rows.column_names
            values = np.nan_to_num(self._floats(column)) if known else np.zeros_like(self.failed)
            self._integers[column] = values.astype(np.int64)
            self._integers[column].flags.writeable = False
        return self._integers[column]

    def _with_metadata(self, rows: pa.Table) -> pa.Table:
        return rows.replace_schema_metadata({"pickllm": json.dumps(self._document())})

    def _document(self) -> dict[str, Any]:
        return {"schema_version": SCHEMA_VERSION, "llms": list(self.llm_names), **self.metadata}

    @property
    def _stride(self) -> int:
        return self.n_llms * self.n_repeats

    def _query_column(self, column: str) -> NDArray[np.object_]:
        return _objects(self._rows[column])[:: self._stride]

    def _floats(self, column: str) -> Floats:
        values = self._rows[column].to_numpy(zero_copy_only=False)
        grid = np.ascontiguousarray(values, dtype=np.float64).reshape(self.n_queries, self.n_llms, self.n_repeats)
        grid.flags.writeable = False  # tables are shared by every environment of a process
        return grid

    def _dearest_mean_cost_usd(self) -> float:
        return float(self.cost_usd.mean(axis=(0, 2)).max())


def _objects(column: Any) -> NDArray[np.object_]:
    """Return an Arrow column of texts as Python objects, None where it is null."""
    if pa.types.is_dictionary(column.type) and column.null_count:
        column = column.cast(column.type.value_type)  # Arrow's own conversion takes some other text for a null
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=object)
