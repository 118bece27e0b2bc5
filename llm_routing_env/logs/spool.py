"""A log that is written as it happens: what was flushed outlives the process."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.logs.columns import batch_of, schema_of

_GROUP_ROWS = 2**17


class GrowingLog:
    """Appends rows to `PATH.unfinished`, an Arrow stream; `close` makes the log at PATH of it."""

    def __init__(self, path: str | Path, metadata: Mapping[str, Any], terms: Sequence[str]) -> None:
        """Begin a log.

        Args:
            path: The log's file, which must not be there yet.
            metadata: See `Log`.
            terms: Names of the reward's terms.

        Raises:
            FileExistsError: A log is there, or one that was interrupted.
        """
        self._path, self._spool = Path(path), unfinished(path)
        if self._path.exists():
            raise FileExistsError(f"{path} exists: a log is never written over; give another name.")
        if self._spool.exists():
            raise FileExistsError(
                f"{self._spool} holds a log that was interrupted, or is being written: read_log({str(path)!r}) reads "
                "it. Move it away, or give another name."
            )
        self._schema = schema_of(metadata, terms, ())
        self._file = open(self._spool, "xb")  # noqa: SIM115 -- closed by `close`
        self._writer = pa.ipc.new_stream(self._file, self._schema)
        self._file.flush()
        self._n_rows = 0

    def append(self, columns: Mapping[str, Any]) -> None:
        """Append rows, see `batch_of`, and hand them to the operating system."""
        batch = batch_of(columns, self._schema)
        self._writer.write_batch(batch)
        self._file.flush()
        self._n_rows += len(batch)

    def close(self) -> None:
        """Make the log of what was appended; may be called twice. Without a row there is none."""
        if self._file.closed:
            return
        self._writer.close()
        self._file.close()
        if self._n_rows:
            with replacing(self._path) as new, pq.ParquetWriter(new, self._schema, compression="zstd") as writer:
                for rows in _groups(stream_batches(self._spool)):
                    writer.write_table(rows)
        self._spool.unlink()


def unfinished(path: str | Path) -> Path:
    """Return where a log lies until it is complete."""
    return Path(f"{path}.unfinished")


def stream_batches(path: Path) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an unfinished log, as far as they are whole.

    Raises:
        ValueError: It is none.
    """
    with open(path, "rb") as file:
        try:
            reader = pa.ipc.open_stream(file)
        except (pa.ArrowException, OSError) as error:
            raise ValueError(f"not the beginning of a log: {error}.") from error
        while True:
            try:
                batch = reader.read_next_batch()
            except (StopIteration, pa.ArrowException, OSError):  # what was being written when the process was killed
                return
            yield batch


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    group: list[pa.RecordBatch] = []
    for batch in batches:
        group.append(batch)
        if sum(map(len, group)) >= _GROUP_ROWS:
            yield pa.Table.from_batches(group).combine_chunks()
            group = []
    if group:
        yield pa.Table.from_batches(group).combine_chunks()
