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
        self._path = Path(path).absolute()  # the program may go elsewhere before it closes the log
        self._spool = unfinished(self._path)
        if self._path.exists():
            raise FileExistsError(f"{path} exists: a log is never written over; give another name.")
        if self._spool.exists():
            raise FileExistsError(
                f"{unfinished(path)} holds a log that was interrupted, or is being written: read_log({str(path)!r}) "
                "reads it. Move it away, or give another name."
            )
        self._schema = schema_of(metadata, terms, ())
        pa.array([], pa.string())  # pyarrow looks for pandas at its first array, which an interpreter that ends refuses
        self._n_rows, self._n_bytes, self._is_closed = 0, 0, False
        self._file = open(self._spool, "xb", buffering=0)  # noqa: SIM115 -- closed by `close`
        self._write(self._schema.serialize())

    def append(self, columns: Mapping[str, Any]) -> None:
        """Append rows, see `batch_of`, and hand them to the operating system; all of them, or none."""
        batch = batch_of(columns, self._schema)
        self._write(batch.serialize())
        self._n_rows += len(batch)

    def close(self) -> None:
        """Make the log of what was appended, if anything; may be called twice, and again after an error.

        Raises:
            OSError: It cannot be written, or not all rows can be read back: what was appended stays where it is.
        """
        if self._is_closed:
            return
        if self._n_rows:
            n_rows = 0
            with replacing(self._path) as new, pq.ParquetWriter(new, self._schema, compression="zstd") as writer:
                for rows in _groups(stream_batches(self._spool)):
                    writer.write_table(rows)
                    n_rows += len(rows)
                if n_rows != self._n_rows:
                    raise OSError(f"{self._spool}: {n_rows} of {self._n_rows} rows can be read back, and it is kept.")
        self._file.close()
        self._spool.unlink()
        self._is_closed = True

    def _write(self, message: pa.Buffer) -> None:
        """Append a message whole, or nothing of it: beyond a torn one a stream cannot be read."""
        left = memoryview(message)
        try:
            while left:
                left = left[self._file.write(left) :]
            self._n_bytes += len(memoryview(message))
        except BaseException:
            self._file.truncate(self._n_bytes)
            self._file.seek(self._n_bytes)
            raise


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
                batch.validate(full=True)  # half a batch that something else follows may look like one
            except (StopIteration, pa.ArrowException, OSError):  # what was being written when the process was killed
                return
            yield batch


def _groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    group: list[pa.RecordBatch] = []
    n_rows = 0
    for batch in batches:
        group.append(batch)
        n_rows += len(batch)
        if n_rows >= _GROUP_ROWS:
            yield pa.Table.from_batches(group).combine_chunks()
            group, n_rows = [], 0
    if group:
        yield pa.Table.from_batches(group).combine_chunks()
