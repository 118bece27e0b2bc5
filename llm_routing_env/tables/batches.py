"""Rows of a file or a table in batches, and a table's file written in batches: for what does not fit into memory."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.tables.arrow import text_lengths
from llm_routing_env.tables.decoded import DecodedSize

# Bound what is in memory as Python objects.
BATCH_ROWS, BATCH_BYTES = 4096, 2**26


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
    """Give what appends rows to a file of an outcome table; what was there is as it was until the new one is whole.

    Args:
        path: The file.
        document: The table's metadata; must be JSON-plain.
    """
    metadata = {"pickllm": json.dumps(document)}
    with replacing(path) as new, ExitStack() as stack:
        writers: list[pq.ParquetWriter] = []

        def write(rows: pa.Table) -> None:
            rows = rows.replace_schema_metadata(metadata)
            if not writers:
                writers.append(stack.enter_context(pq.ParquetWriter(new, rows.schema, compression="zstd")))
            writers[0].write_table(rows)

        yield write
