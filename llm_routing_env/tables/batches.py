"""Rows of a file or a table in batches, and a table's files written in batches: for what does not fit into memory."""

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.tables import check
from llm_routing_env.tables.arrow import chunk_lengths, text_lengths
from llm_routing_env.tables.decoded import DecodedSize

# Bound what is in memory as Python objects.
BATCH_ROWS, BATCH_BYTES = 4096, 2**26
# Rows of a group in a file that is written: each group costs whoever opens the file about a millisecond.
GROUP_ROWS = 2**17
# A file takes no more, every text spelled out: half of what is read leaves room for all that a reader counts beside.
FILE_BYTES = check.MOST_BYTES // 2
_CELL_BYTES = 8


def bounded_batches(
    open_file: Callable[[Sequence[str]], pq.ParquetFile],
    size: DecodedSize,
    columns: Sequence[str],
    n_rows: int,
    uncounted: Collection[str] = (),
) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a parquet file in its order, with texts spelled out only where they are not too large.

    Args:
        open_file: Opens the file so that some texts, by their paths in it, are read as codes.
        size: Of the file.
        columns: Their names.
        n_rows: The most rows of a batch; texts of more than `BATCH_BYTES` make it smaller.
        uncounted: Columns that may be too large in all rows together.

    Raises:
        ValueError: The texts are too large.
    """
    unclear, n_bytes = size.unclear(columns, BATCH_BYTES, n_rows), 0
    codes, n_rows = size.as_codes(unclear), min(n_rows, size.rows_within(BATCH_BYTES, unclear))
    what = f"column {columns[0]!r}" if len(columns) == 1 else "its texts"
    with open_file(()) as plain:
        kinds = [plain.schema_arrow.field(name).type for name in columns]
    with open_file(codes) as file:
        # Arrow cannot read a list of codes across groups.
        for groups in [[group] for group in range(file.num_row_groups)] if codes else [None]:
            for batch in file.iter_batches(n_rows, row_groups=groups, columns=list(columns)):
                batch.validate(full=True)  # a damaged file may hold text that is none, and codes without a meaning
                lengths = {name: text_lengths(batch.column(name)) for name in columns}
                n_bytes += sum(int(lengths[name].sum()) for name in columns if name not in uncounted)
                size.require(n_bytes, what)
                for part in _parts(batch, sum(lengths.values(), np.zeros(len(batch), np.int64)), size):
                    cells = zip(map(part.column, columns), kinds, strict=True)
                    spelled = [each if each.type == kind else each.cast(kind) for each, kind in cells]
                    yield pa.RecordBatch.from_arrays(spelled, list(columns))


def _parts(batch: pa.RecordBatch, lengths: NDArray[np.int64], size: DecodedSize) -> Iterator[pa.RecordBatch]:
    """Yield a batch in parts whose rows, of these lengths, take at most `BATCH_BYTES`, or are one row."""
    if lengths.sum() <= BATCH_BYTES:
        yield batch
        return
    size.require(int(lengths.max()), "a row")
    ends, start = np.cumsum(lengths), 0
    while start < len(batch):
        before = int(ends[start - 1]) if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + BATCH_BYTES, "right")))
        yield batch.take(pa.array(np.arange(start, end)))  # of a slice, all that its lists point to would be spelled
        start = end


def memory_batches(rows: pa.Table, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of rows in memory, in their order."""
    for start in range(0, len(rows), BATCH_ROWS):
        yield rows.select(columns).slice(start, BATCH_ROWS)


@contextmanager
def written_batches(path: str | Path, document: Mapping[str, Any]) -> Iterator[Callable[[pa.Table], object]]:
    """Give what appends rows to an outcome table; what was there is as it was until the new one is whole.

    A table of more rows or bytes than are read of one file becomes a folder of files of this name.

    Args:
        path: The file.
        document: The table's metadata; must be JSON-plain.

    Raises:
        OSError: It cannot be written, a folder is there, or a file where there is to be a folder.
    """
    with replacing(path) as new:
        rows = _RowWriter(new, Path(path), {"pickllm": json.dumps(document)})
        try:
            yield rows.write
            rows.flush()
        finally:
            rows.close()


class _RowWriter:
    """Writes rows into a file, or into the files of a folder in its place once they are too many for one."""

    def __init__(self, new: Path, path: Path, metadata: Mapping[str, str]) -> None:
        self._new, self._path, self._metadata = new, path, metadata
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None
        self._group: list[pa.Table] = []
        self._n_files, self._n_rows, self._n_bytes, self._group_bytes = 1, 0, 0, 0

    def write(self, rows: pa.Table) -> None:
        """Append rows."""
        rows = rows.replace_schema_metadata(self._metadata)
        step = min(GROUP_ROWS, check.MOST_ROWS)
        for start in range(0, len(rows), step):
            self._add(rows.slice(start, step))

    def _add(self, rows: pa.Table) -> None:
        n_bytes = _CELL_BYTES * rows.num_columns * len(rows)
        n_bytes += sum(int(chunk_lengths(column).sum()) for column in rows.itercolumns())
        is_full = self._n_rows + len(rows) > check.MOST_ROWS or self._n_bytes + n_bytes > FILE_BYTES
        if is_full and self._n_rows:
            self._begin_file()
        self._group.append(rows)
        self._n_rows, self._n_bytes = self._n_rows + len(rows), self._n_bytes + n_bytes
        self._group_bytes += n_bytes
        if sum(map(len, self._group)) >= GROUP_ROWS or self._group_bytes >= BATCH_BYTES:
            self.flush()

    def _begin_file(self) -> None:
        self.flush()
        self.close()
        if self._n_files == 1:
            self._make_folder()
        self._n_files, self._n_rows, self._n_bytes = self._n_files + 1, 0, 0

    def _make_folder(self) -> None:
        if os.path.exists(self._path):
            raise FileExistsError(
                f"{self._path} exists: move it away; so many rows become a folder of files, which replaces nothing."
            )
        folder = self._new.with_suffix(".folder")
        folder.mkdir()
        self._new.rename(self._file(folder))
        folder.rename(self._new)

    def _file(self, folder: Path) -> Path:
        return folder / f"part-{self._n_files:05d}.parquet"

    def flush(self) -> None:
        """Write what is held back as a group of rows."""
        if not self._group:
            return
        self._schema = self._schema or self._group[0].schema
        if self._writer is None:
            target = self._new if self._n_files == 1 else self._file(self._new)
            self._writer = pq.ParquetWriter(target, self._schema, compression="zstd")
        self._writer.write_table(pa.concat_tables(self._group))
        self._group, self._group_bytes = [], 0

    def close(self) -> None:
        """Close the file that is open."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None
