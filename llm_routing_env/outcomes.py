"""Outcomes and outcome tables: every query on every LLM, recorded with repeats (parquet, schema-checked)."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.errors import unknown_name
from llm_routing_env.pool import DATA
from llm_routing_env.queries import Query, QuerySet
from llm_routing_env.table_check import check_columns, check_values, grid_order

SCHEMA_VERSION = 1
QUERY_COLUMNS = ("query_id", "context", "split", "prompt", "references")
# Held as codes into a dictionary: a long table says each of these once per LLM and repeat.
REPEATED = ("context", "split", "prompt", "llm", "references.list.element")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one LLM gave for one query.

    Attributes:
        response: The text; empty when the call failed.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        cost_usd: Price of the call in US dollars.
        latency_s: End-to-end seconds.
        accuracy: In [0, 1]; None where nothing has scored it yet.
        error: Why the call failed, else None.
        time_to_first_token_s: Seconds, where the server reports them.
    """

    response: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    latency_s: float
    accuracy: float | None = None
    error: str | None = None
    time_to_first_token_s: float | None = None


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
        metadata: What was recorded about the recording (pool, prices, hardware, versions, cost_scale, ...).
    """

    def __init__(self, rows: pa.Table, *, path: Path | None = None) -> None:
        """Check and index a long-form table, one row per (query, LLM, repeat), in any order.

        Raises:
            ValueError: Names the file, the first offending row and what was expected.
        """
        where = str(path or "outcome table")
        check_columns(rows, where)
        self.metadata: dict[str, Any] = json.loads((rows.schema.metadata or {}).get(b"pickllm", b"{}"))
        order, self.llm_names, shape = grid_order(rows, self.metadata.get("llms"), where)
        self._rows = rows if np.array_equal(order, np.arange(len(order))) else rows.take(pa.array(order))
        check_values(rows, where)
        self.path = path
        self.n_queries, self.n_llms, self.n_repeats = shape
        self.cost_usd, self.latency_s = self._floats("cost_usd"), self._floats("latency_s")
        names = rows.column_names
        self.accuracies = {n[9:]: self._floats(n) for n in names if n.startswith("accuracy_")}
        self.measures = {n[8:]: self._floats(n) for n in names if n.startswith("measure_")}
        self.failed = self._rows["error"].is_valid().to_numpy().reshape(shape)
        self.metadata.setdefault("cost_scale", self._dearest_mean_cost_usd())

    @classmethod
    def read(cls, name_or_path: str | Path) -> "OutcomeTable":
        """Read a shipped table by name ("nano"), or a parquet file.

        Raises:
            ValueError: For an unknown name, a file that is not parquet, or a malformed table.
        """
        path = DATA / str(name_or_path) / "outcomes.parquet"
        if not path.is_file():
            path = Path(name_or_path)
        if not path.is_file():
            hint = "Or give the path of an outcome table; `pickllm record` and `pickllm import` make them."
            raise unknown_name("table", str(name_or_path), shipped_tables(), hint)
        try:
            # Buffered reading: else the file is held as it lies on disk, beside what is made of it.
            rows = pq.read_table(path, read_dictionary=list(REPEATED), pre_buffer=False, buffer_size=2**20)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"{path}: not a parquet file that can be read: {error}.") from error
        return cls(rows, path=path)

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
                cost_usd, latency_s, `accuracy_<scorer>` for each scorer, and optionally time_to_first_token_s
                and `measure_<name>`.
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
        metadata = {"schema_version": SCHEMA_VERSION, "llms": list(self.llm_names), **self.metadata}
        rows = self._rows.replace_schema_metadata({"pickllm": json.dumps(metadata)})
        temporary = Path(f"{path}.partial")  # an interrupted write leaves no half table under the real name
        pq.write_table(rows, temporary, compression="zstd")
        temporary.replace(path)

    @cached_property
    def queries(self) -> QuerySet:
        """The queries, in table order."""
        first = self._rows.select(QUERY_COLUMNS).take(pa.array(np.arange(0, len(self._rows), self._stride)))
        return QuerySet(Query(**row | {"references": tuple(row["references"])}) for row in first.to_pylist())

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

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the numbers must be told: measures that are simulated or missing, and remarks kept."""
        said = [f"The latency is {self.metadata['latency']}."] if "latency" in self.metadata else []
        absent = (("cost", self.cost_usd), ("latency", self.latency_s))
        said += [f"The table records no {name}." for name, values in absent if np.isnan(values).all()]
        return (*said, *self.metadata.get("notes", ()))

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

    def text(self, column: str, query: int, llm: int, repeat: int) -> str | None:
        """Return one cell of a text column: "response" or "error"."""
        cell: str | None = self._rows[column][(query * self.n_llms + llm) * self.n_repeats + repeat].as_py()
        return cell

    def integers(self, column: str) -> NDArray[np.int64]:
        """Return "prompt_tokens" or "completion_tokens", shape (queries, LLMs, repeats); 0 where not recorded."""
        shape = (self.n_queries, self.n_llms, self.n_repeats)
        if column not in self._rows.column_names:
            return np.zeros(shape, dtype=np.int64)
        return np.nan_to_num(self._floats(column)).astype(np.int64)

    @property
    def _stride(self) -> int:
        return self.n_llms * self.n_repeats

    def _query_column(self, column: str) -> NDArray[np.object_]:
        first = pa.array(np.arange(0, len(self._rows), self._stride))
        values: NDArray[np.object_] = np.array(self._rows[column].take(first).to_pylist(), dtype=object)
        return values

    def _floats(self, column: str) -> Floats:
        values = self._rows[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
        grid = np.ascontiguousarray(values, dtype=np.float64).reshape(self.n_queries, self.n_llms, self.n_repeats)
        grid.flags.writeable = False  # tables are shared by every environment of a process
        return grid

    def _dearest_mean_cost_usd(self) -> float:
        return float(self.cost_usd.mean(axis=(0, 2)).max())


def shipped_tables() -> list[str]:
    """Return the names of the tables that come with the package."""
    return sorted(path.parent.name for path in DATA.glob("*/outcomes.parquet"))
