"""The rows of a table in batches, and a table's file written in batches: for tables that do not fit into memory."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 4096  # bounds what is in memory as Python objects


def file_batches(path: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of a parquet file, in its order.

    Raises:
        ValueError: The file is damaged.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=2**20) as file:
            for group in range(file.num_row_groups):  # Arrow cannot read a list of codes across groups
                for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=list(columns)):
                    batch.validate(full=True)
                    yield pa.Table.from_batches([batch]).select(columns)
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        raise ValueError(f"{path}: not a parquet file that can be read: {error}.") from error


def memory_batches(rows: pa.Table, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield some columns of rows in memory, in their order."""
    for start in range(0, len(rows), BATCH_ROWS):
        yield rows.select(columns).slice(start, BATCH_ROWS)


@contextmanager
def written_batches(path: str | Path, document: Mapping[str, Any]) -> Iterator[Callable[[pa.Table], object]]:
    """Give what appends rows to a new file of an outcome table; nothing lies under its name before it is whole.

    Args:
        path: There must be none yet.
        document: The table's metadata; must be JSON-plain.

    Raises:
        ValueError: There is a file, or no folder for it.
    """
    path = Path(path)
    if path.exists():
        raise ValueError(f"{path} exists: delete it, or write another file.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: its folder does not exist.")
    metadata = {"pickllm": json.dumps(document)}
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    writers: list[pq.ParquetWriter] = []

    def write(rows: pa.Table) -> None:
        rows = rows.replace_schema_metadata(metadata)
        if not writers:
            writers.append(pq.ParquetWriter(file, rows.schema, compression="zstd"))
        writers[0].write_table(rows)

    try:
        with open(partial, "xb") as file:
            try:
                yield write
            finally:
                for writer in writers:
                    writer.close()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
