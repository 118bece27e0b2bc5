"""Reads the parquet file of an outcome table, a few columns at a time."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.tables.check import check_size

# Held as codes into a dictionary: a long table says each of these once per LLM and repeat.
REPEATED = ("query_id", "context", "split", "prompt", "llm", "references.list.element")


class TableFile:
    """The rows of a table in its file, with the parts of `pyarrow.Table` that a table asks for.

    Attributes:
        schema: Columns, types and metadata; with the footer, all that is in memory.
    """

    def __init__(self, path: Path) -> None:
        """Read the footer.

        Raises:
            ValueError: It is no parquet file, or damaged, or too large.
        """
        self._path, self._place = path, path.absolute()  # a process may go elsewhere before it asks for a text
        self._stamp = self._current_stamp()
        self._footer = footer = self._readable(lambda: pq.read_metadata(self._place))
        check_size(footer, str(path))
        found = {footer.schema.column(index).path for index in range(footer.num_columns)}
        self._codes = [column for column in REPEATED if column in found]
        self._n_rows = sum(footer.row_group(group).num_rows for group in range(footer.num_row_groups))
        self.schema = self._readable(self._schema)

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._n_rows)

    def select(self, columns: Sequence[str]) -> pa.Table:
        """Return some columns of every row.

        Raises:
            ValueError: They are damaged, or the file is another one by now.
        """
        if self._current_stamp() != self._stamp:
            raise ValueError(f"{self._path}: the file has changed since the table was opened; open it again.")
        rows = self._readable(lambda: self._read(columns))
        if len(rows) != len(self):
            raise ValueError(f"{self._path}: declares {len(self)} rows and has {len(rows)}.")
        return rows

    def _read(self, columns: Sequence[str]) -> pa.Table:
        with self._open() as file:
            # Group by group: Arrow cannot read a list of codes across groups.
            groups = range(file.num_row_groups)
            rows = pa.concat_tables(file.read_row_group(group, columns=columns) for group in groups)
        pa.default_memory_pool().release_unused()  # what decoding took: mostly more than the column
        rows.validate(full=True)  # a damaged file may hold text that is none, and codes without a meaning
        return rows.select(columns)

    def _schema(self) -> pa.Schema:
        with self._open() as file:
            return file.schema_arrow

    def _open(self) -> pq.ParquetFile:
        # Buffered reading: else the file is held as it lies on disk, beside what is made of it.
        return pq.ParquetFile(
            self._place, metadata=self._footer, read_dictionary=self._codes, pre_buffer=False, buffer_size=2**20
        )

    def _current_stamp(self) -> tuple[int, int]:
        found = self._readable(lambda: os.stat(self._place))
        return found.st_mtime_ns, found.st_size

    def _readable(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
            raise ValueError(f"{self._path}: not a parquet file that can be read: {error}.") from error
