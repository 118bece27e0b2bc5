"""The rows of a table in batches, and a table's file written in batches: for tables that do not fit into memory."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.agents.parts.replacing import replacing

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
