"""Reads a parquet file of an outcome table, a few columns at a time."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.tables import arrow, batches
from llm_routing_env.tables.decoded import DecodedSize

# Held as codes into a dictionary: a long table says each of these once per LLM and repeat.
REPEATED = ("query_id", "context", "split", "prompt", "llm", "references.list.element")

_SPELLED_ROWS = 65_536  # a dictionary is read anew for each


class TableFile:
    """The rows of a table in its file, with the parts of `pyarrow.Table` that a table asks for.

    Attributes:
        name: Its path as it was given.
        schema: Columns, types and metadata; with the footer, all that is in memory.
        held: The columns that are held as codes into a dictionary.
    """

    def __init__(self, path: Path, n_files: int = 1) -> None:
        """Read the footer of one of so many files of a table.

        Raises:
            ValueError: It is no parquet file, or damaged, or too large.
        """
        self.name, self._place = str(path), path.absolute()  # a process may go elsewhere before it asks for a text
        self._stamp = self._current_stamp()
        with self._readable():
            self._footer = footer = pq.read_metadata(self._place)
            self._size = DecodedSize(self._place, footer, self.name, n_files)
            found = [footer.schema.column(index) for index in range(footer.num_columns)]
            repeated = [column.path for column in found if column.path in REPEATED or _is_nested_text(column)]
            self._codes = self._size.as_codes(repeated)
            self._n_rows = sum(footer.row_group(group).num_rows for group in range(footer.num_row_groups))
        self._lacking = frozenset[str]()
        self.hold_as_codes({_column_of(path) for path in self._codes})

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._n_rows)

    def hold_as_codes(self, columns: Collection[str]) -> None:
        """Hold none but these columns as codes."""
        self._codes = [path for path in self._codes if _column_of(path) in columns]
        self.held = frozenset(map(_column_of, self._codes))
        with self._readable(), self._open(self._codes) as file:
            self.schema: pa.Schema = file.schema_arrow

    def fit(self, schema: pa.Schema) -> None:
        """Be a part of a table of this schema: columns that are absent here, or of no type, are empty."""
        own = {field.name for field in self.schema if not pa.types.is_null(field.type)}
        self.schema, self._lacking = schema, frozenset(schema.names) - own

    def select(self, columns: Sequence[str]) -> pa.Table:
        """Return some columns of every row.

        Raises:
            ValueError: They are damaged or too large, or the file is another one by now.
        """
        self._check_same()
        with self._readable():
            rows = self._read(columns)
        self._check_rows(len(rows))
        return rows

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield some columns in batches, bounded in rows and in bytes, in the file's order.

        Raises:
            ValueError: They are damaged or too large, or the file is another one by now.
        """
        self._check_same()
        n_rows = 0
        with self._readable():
            # What is held as codes may be larger when every row says it again: a query's texts count once.
            there = [column for column in columns if column not in self._lacking] or ["query_id"]
            for batch in batches.bounded_batches(self._open, self._size, there, batches.BATCH_ROWS, self.held):
                n_rows += len(batch)
                # Whatever types a file says: those of the table's other files are spelled out too.
                found = {name: batch[name].cast(arrow.spelled_type(batch[name].type)) for name in there}
                yield self._filled(found, columns, len(batch))
        self._check_rows(n_rows)

    def check_texts(self, name: str, column: pa.ChunkedArray, rows: NDArray[np.int64]) -> None:
        """Check that some rows' texts of a column, held as codes, may all be spelled out.

        Raises:
            ValueError: They are too large.
        """
        if self._size.unclear([name]):
            self._size.require(int(arrow.chunk_lengths(column)[rows].sum()), f"column {name!r}")

    def _read(self, columns: Sequence[str]) -> pa.Table:
        there = [column for column in columns if column not in self._lacking]
        unclear = dict.fromkeys(map(_column_of, self._size.unclear(name for name in there if name not in self.held)))
        found = {column: self._spelled(column) for column in unclear}
        if clear := [column for column in there if column not in unclear]:
            rows = self._read_groups(clear)
            found |= {column: rows[column] for column in clear}
        pa.default_memory_pool().release_unused()  # what decoding took: mostly more than the column
        return self._filled(found, columns, len(self))

    def _filled(self, found: Mapping[str, Any], columns: Sequence[str], n_rows: int) -> pa.Table:
        kinds = {column: self.schema.field(column).type for column in columns if column not in found}
        cells = [found[column] if column in found else pa.nulls(n_rows, kinds[column]) for column in columns]
        return pa.Table.from_arrays(cells, list(columns))

    def _read_groups(self, columns: Sequence[str]) -> pa.Table:
        with self._open(self._codes) as file:
            # Group by group: Arrow cannot read a list of codes across groups.
            groups = range(file.num_row_groups)
            rows = pa.concat_tables(file.read_row_group(group, columns=columns) for group in groups)
        rows.validate(full=True)  # a damaged file may hold text that is none, and codes without a meaning
        return rows

    def _spelled(self, column: str) -> pa.ChunkedArray:
        """Return texts whose pages leave open how large they are, read batch by batch."""
        found = batches.bounded_batches(self._open, self._size, [column], _SPELLED_ROWS)
        return pa.chunked_array([batch.column(0) for batch in found], self.schema.field(column).type)

    def _open(self, codes: Sequence[str]) -> pq.ParquetFile:
        # Buffered reading: else the file is held as it lies on disk, beside what is made of it.
        return pq.ParquetFile(
            self._place, metadata=self._footer, read_dictionary=codes, pre_buffer=False, buffer_size=2**20
        )

    def _current_stamp(self) -> tuple[int, int]:
        with self._readable():
            found = os.stat(self._place)
        return found.st_mtime_ns, found.st_size

    def _check_same(self) -> None:
        if self._current_stamp() != self._stamp:
            raise ValueError(f"{self.name}: the file has changed since the table was opened; open it again.")

    def _check_rows(self, n_rows: int) -> None:
        if n_rows != len(self):
            raise ValueError(f"{self.name}: declares {len(self)} rows and has {n_rows}.")

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
            raise ValueError(f"{self.name}: not a parquet file that can be read: {error}.") from error


def _column_of(path: str) -> str:
    return path.partition(".")[0]


def _is_nested_text(column: Any) -> bool:
    return bool(column.physical_type == "BYTE_ARRAY" and "." in column.path)
