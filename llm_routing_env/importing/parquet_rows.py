"""Reads parquet, in batches."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.importing.files import DataFile
from llm_routing_env.tables.batches import bounded_batches
from llm_routing_env.tables.decoded import DecodedSize

_BATCH_ROWS = 16_384  # bounds what is in memory as Python objects


class ParquetRows:
    """The rows of a file.

    Attributes:
        share_read: How much of the file is read, from 0 to 1.
    """

    def __init__(self, file: DataFile) -> None:
        """Describe the file; reads nothing yet."""
        self._file, self.share_read = file, 0.0

    def columns(self) -> tuple[list[str], list[str]]:
        """Return the names of the columns, and dotted names of what lies in them."""
        with self._readable() as path, _opened(path) as file:
            schema = file.schema_arrow
            return list(schema.names), [f"{each.name}.{name}" for each in schema for name in _fields(each.type)]

    def batches(self, columns: Sequence[str]) -> Iterator[Mapping[str, pa.Array]]:
        """Yield some columns.

        Raises:
            ValueError: The file is damaged, or decodes to more than a file of its size may.
        """
        n_read = 0
        with self._readable() as path:
            with _opened(path) as file:
                footer = file.metadata
            size = DecodedSize(path, footer, str(self._file.path))
            for batch in bounded_batches(lambda codes: _opened(path, codes), size, columns, _BATCH_ROWS):
                n_read += len(batch)
                self.share_read = n_read / footer.num_rows
                yield dict(zip(columns, batch.columns, strict=True))

    @contextmanager
    def _readable(self) -> Iterator[Path]:
        try:
            with self._file.on_disk() as path:
                yield path
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            where = self._file.path
            raise ValueError(f"{where}: expected a parquet file, found something else: {error}.") from error


def _opened(path: Path, codes: Sequence[str] = ()) -> pq.ParquetFile:
    # Buffered: else a row group, which may be the whole file, is held as it lies on disk.
    return pq.ParquetFile(path, read_dictionary=codes, pre_buffer=False, buffer_size=2**20)


def _fields(kind: pa.DataType) -> Iterator[str]:
    if pa.types.is_struct(kind):
        for field in kind:
            inner = list(_fields(field.type))
            yield from [f"{field.name}.{name}" for name in inner] or [field.name]
