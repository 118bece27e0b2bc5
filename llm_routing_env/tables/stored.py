"""The rows of an outcome table, in memory or in files: what a session needs is read at once, texts when asked for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.tables import arrow
from llm_routing_env.tables.batches import BATCH_ROWS, memory_batches
from llm_routing_env.tables.chat import Messages, from_json
from llm_routing_env.tables.check import (
    OPTIONAL_TEXT,
    bad_number,
    check_contexts,
    check_filled,
    check_schema,
    is_numeric,
)
from llm_routing_env.tables.file import TableFile
from llm_routing_env.tables.grid import Labels, make_grid
from llm_routing_env.tables.queries import SPLITS, Query

OF_QUERIES = ("prompt", "references")
TEXTS = (*OF_QUERIES, "response", "error")


class StoredRows:
    """Checked rows, one per (query, LLM, repeat) that was recorded.

    Attributes:
        grid: Which row is whose.
        contexts: Sorted.
        columns: The names of what is recorded.
        query_contexts: For each query, the index of its context.
        is_train: For each query.
    """

    def __init__(self, parts: "Sequence[pa.Table | TableFile]", llms: list[str] | None, where: str) -> None:
        """Check columns and types, and read and check the labels.

        Args:
            parts: Rows of the same columns, in any order; those of the first come first.
            llms: The LLMs in action order; None: in the order of their first rows.
            where: What errors call the table.

        Raises:
            ValueError: Names the first offending row and what was expected.
        """
        self._starts = np.cumsum([0, *map(len, parts)])
        check_schema(parts[0].schema, int(self._starts[-1]), where)
        self.columns = tuple(parts[0].schema.names)
        self._parts, self._where, self._texts = parts, where, dict[tuple[str, int], pa.ChunkedArray]()
        if isinstance(parts[0], pa.Table):
            self.read_texts()
        labels = Labels(*self._codes("query_id"), *self._codes("llm"), self._by_row("repeat", arrow.numbers))
        self.grid = make_grid(labels, llms, where, self._row_name)
        self._set_contexts(*self._codes("context"))
        self._set_split(*self._codes("split"))

    def read_texts(self) -> None:
        """Read and check every column of texts."""
        for name in (*TEXTS, *OPTIONAL_TEXT):
            if name in self.columns:
                self.texts(name)

    def _read(self, number: int, columns: Sequence[str]) -> pa.Table:
        """Read some columns of a part; where texts are codes, every query of it may have one of its own."""
        part = self._parts[number]
        rows = part.select(columns)
        for name in columns:
            check_filled(name, rows[name], self._part_name(number))
            if name in OF_QUERIES and isinstance(part, TableFile):
                first = self.grid.first_rows - self._starts[number]
                part.check_texts(name, rows[name], first[(first >= 0) & (first < len(rows))])
        return rows

    def _read_all(self, columns: Sequence[str]) -> pa.Table:
        return pa.concat_tables(self._read(number, columns) for number in range(len(self._parts)))

    def _by_row(self, name: str, function: Callable[[pa.ChunkedArray], NDArray[Any]]) -> NDArray[Any]:
        """Return what a function makes of each row of a column; reads one part after another."""
        return arrow.joined([function(self._read(number, [name])[name]) for number in range(len(self._parts))])

    def _codes(self, name: str) -> tuple[NDArray[np.int32], list[str]]:
        return arrow.codes(self._read_all([name])[name])

    def _set_contexts(self, codes: NDArray[np.int32], names: list[str]) -> None:
        check_contexts(names, self._where)
        used = codes[self.grid.first_rows]
        self.contexts = tuple(sorted({names[code] for code in used}))
        places = {name: place for place, name in enumerate(self.contexts)}
        self.query_contexts: NDArray[np.int64] = np.array([places.get(name, -1) for name in names])[used]

    def _set_split(self, codes: NDArray[np.int32], names: list[str]) -> None:
        for code, name in enumerate(names):
            if name not in SPLITS:
                raise self._refusal(int(np.argmax(codes == code)), "split", "'train' or 'test'")
        is_train = np.array([name == "train" for name in names])
        self.is_train: NDArray[np.bool_] = is_train[codes[self.grid.first_rows]]

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """Read and check every column of numbers; shape (queries, LLMs, repeats), NaN where there is no row.

        Raises:
            ValueError: Names the first row that does not fit.
        """
        names = [name for name in self.columns if is_numeric(name) and name != "repeat"]
        found = {}
        for name in names:  # one by one: what reading them all takes beside what is kept is as much again
            values = self._by_row(name, arrow.numbers)
            if bad := bad_number(name, values):
                raise self._refusal(bad[0], name, bad[1])
            found[name] = self.grid.spread(values, np.nan)
        return found

    def is_filled(self, column: str) -> NDArray[np.bool_]:
        """Return which cells have a text in a column, without keeping the texts; False where there is no row."""
        return self.grid.spread(~self._by_row(column, arrow.is_null), False)

    def is_text(self, column: str, text: str) -> NDArray[np.bool_]:
        """Return which cells have this text in a column, without keeping the texts; False where there is no row."""
        return self.grid.spread(self._by_row(column, lambda cells: arrow.is_text(cells, text)), False)

    def n_references(self) -> NDArray[np.int32]:
        """Return how many references each query has."""
        return arrow.lengths(self.texts("references"))[self.grid.first_rows]

    def texts(self, column: str) -> pa.ChunkedArray:
        """Return a column of texts that the table has, a text per row; read once.

        Raises:
            ValueError: It is damaged or too large, or empty where it may not be.
        """
        parts = [self._texts_of(column, number) for number in range(len(self._parts))]
        return parts[0] if len(parts) == 1 else pa.chunked_array([chunk for part in parts for chunk in part.chunks])

    def text(self, column: str, row: int) -> Any:
        """Return the text, or list of texts, that a row has in a column; reads no other part.

        Raises:
            ValueError: As `texts`.
        """
        number, place = self._place(row)
        return self._texts_of(column, number)[place].as_py()

    def _texts_of(self, column: str, number: int) -> pa.ChunkedArray:
        if (column, number) not in self._texts:
            self._texts[column, number] = self._read(number, [column])[column]
        return self._texts[column, number]

    def messages(self, query: int) -> Messages:
        """Return the messages of a query; none where its prompt is all.

        Raises:
            ValueError: What the table holds is no chat, or another one than the prompt's.
        """
        if "messages" not in self.columns:
            return ()
        row = int(self.grid.first_rows[query])
        text, prompt = (self.text(column, row) for column in ("messages", "prompt"))
        try:
            return from_json(text, prompt)
        except ValueError as fault:
            where = f"{self._row_name(row)} (query {self.grid.query_ids[query]!r})"
            raise ValueError(f"{where}: column 'messages': {fault}.") from None

    def take(self, rows: NDArray[np.int64] | None) -> pa.Table:
        """Return some of the rows with all their columns; None: every row."""
        everything = self._read_all(self.columns)
        return everything if rows is None else everything.take(pa.array(rows))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns of all rows, in batches, as they lie in memory or in the files."""
        for number, part in enumerate(self._parts):
            for batch in part.batches(columns) if isinstance(part, TableFile) else memory_batches(part, columns):
                for name in columns:
                    check_filled(name, batch[name], self._part_name(number))
                yield batch

    def _place(self, row: int) -> tuple[int, int]:
        """Return the number of the part that has a row, and which of its rows that is."""
        number = int(np.searchsorted(self._starts, row, "right")) - 1
        return number, int(row - self._starts[number])

    def _part_name(self, number: int) -> str:
        part = self._parts[number]
        return part.name if isinstance(part, TableFile) else self._where

    def _row_name(self, row: int) -> str:
        number, place = self._place(row)
        return f"{self._part_name(number)}, row {place}"

    def _refusal(self, row: int, column: str, expected: str) -> ValueError:
        number, place = self._place(row)
        cells = self._parts[number].select(["query_id", "llm", column]).itercolumns()
        query, llm, found = (each[place].as_py() for each in cells)
        where = f"{self._row_name(row)} (query {query!r}, LLM {llm!r})"
        return ValueError(f"{where}: {column} must be {expected}, is {found!r}.")


class StoredQueries(Sequence[Query]):
    """The queries of stored rows; each is made when it is asked for, so that a million texts stay in Arrow."""

    def __init__(self, rows: StoredRows) -> None:
        """Describe the queries; reads no text yet."""
        self._rows = rows
        self._made: dict[int, Query] = {}

    def __len__(self) -> int:
        return len(self._rows.is_train)

    def __getitem__(self, index: Any) -> Any:
        query = range(len(self))[index]
        if query not in self._made:  # a session asks for its queries again and again
            self._made[query] = self._make(query)
        return self._made[query]

    def __iter__(self) -> Iterator[Query]:
        # A text at a time takes ten times as long.
        codes, prompts = arrow.codes(self._rows.texts("prompt"))
        references = self._rows.texts("references").take(arrow.integers(self._rows.grid.first_rows))
        for start in range(0, len(self), BATCH_ROWS):
            lists = references.slice(start, BATCH_ROWS).to_pylist()
            for query, (code, texts) in enumerate(
                zip(codes[self._rows.grid.first_rows[start : start + len(lists)]], lists, strict=True), start
            ):
                yield self._made_of(query, prompts[code], texts)

    def _make(self, query: int) -> Query:
        row = int(self._rows.grid.first_rows[query])
        return self._made_of(query, *(self._rows.text(column, row) for column in OF_QUERIES))

    def _made_of(self, query: int, prompt: str, references: list[str]) -> Query:
        rows = self._rows
        split = "train" if rows.is_train[query] else "test"
        context = rows.contexts[rows.query_contexts[query]]
        return Query(rows.grid.query_ids[query], context, split, prompt, tuple(references), rows.messages(query))
