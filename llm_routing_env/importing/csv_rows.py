"""Reads CSV with any separator, in batches."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc

from llm_routing_env.importing.files import DataFile

SEPARATORS = ",;\t|"
TEXT = pa.large_string()
# What is parsed of the file at a time, in bytes, and Arrow reads 32 of them ahead: the larger where a row is longer.
_BLOCKS = (2**20, 2**24)
_WRONG_WIDTH = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_TOO_LONG = "straddl"  # "straddling object straddles two block boundaries"


class CsvRows:
    """The rows of a file.

    Attributes:
        share_read: How much of the file is read, from 0 to 1.
    """

    def __init__(self, file: DataFile, encoding: str, separator: str | None, *, quoted: bool = True) -> None:
        """Describe the file; reads nothing yet.

        Args:
            file: The file.
            encoding: What it is written in.
            separator: What is between fields; None: the header's commonest of `SEPARATORS`.
            quoted: Whether double quotes around a field are no part of it.
        """
        self._file, self._encoding, self._separator, self._quoted = file, encoding, separator, quoted
        self.share_read = 0.0

    def columns(self) -> tuple[list[str], list[str]]:
        """Return the names of the columns; nothing lies in them."""
        for block in _BLOCKS:
            try:
                with self._opened(None, block) as (reader, _):
                    return list(reader.schema.names), []
            except (pa.ArrowException, UnicodeError, LookupError) as error:
                self._refuse_unless_long(error, block)
        return [], []

    def batches(self, columns: Sequence[str]) -> Iterator[Mapping[str, "list[Any] | pa.Array"]]:
        """Yield some columns as texts, with halves of characters for undecodable bytes.

        Raises:
            ValueError: A row has more or fewer fields than the header, or is longer than what is held at a time.
        """
        n_done = 0
        for block in _BLOCKS:
            n_before = 0
            try:
                for batch in self._blocks(columns, block):
                    new = batch.slice(max(0, n_done - n_before))
                    n_before += len(batch)
                    n_done = max(n_done, n_before)
                    if len(new):
                        yield {name: self._texts(new.column(name)) for name in columns}
                return
            except (pa.ArrowException, UnicodeError, LookupError) as error:
                self._refuse_unless_long(error, block)

    def _blocks(self, columns: Sequence[str], size: int) -> Iterator[pa.RecordBatch]:
        with self._opened(columns, size) as (reader, raw):
            for batch in reader:
                self.share_read = raw.tell() / max(raw.size(), 1)
                yield batch

    @contextmanager
    def _opened(
        self, columns: Sequence[str] | None, size: int
    ) -> Iterator[tuple[pc.CSVStreamingReader, pa.NativeFile]]:
        # Of a file on disk: Arrow reads ahead in a thread of its own, where Python's files cannot fail.
        with self._file.on_disk() as path, open(path, "rb") as start, pa.OSFile(str(path)) as raw:
            separator = self._separator or self._commonest(start.read(2**20))
            kinds = {name: pa.large_binary() for name in columns or ()}
            reader = pc.open_csv(
                raw,
                pc.ReadOptions(use_threads=False, block_size=size, encoding=self._encoding),
                pc.ParseOptions(
                    delimiter=separator, newlines_in_values=self._quoted, quote_char='"' if self._quoted else False
                ),
                pc.ConvertOptions(
                    include_columns=columns, column_types=kinds, check_utf8=False, strings_can_be_null=False
                ),
            )
            yield reader, raw

    def _commonest(self, start: bytes) -> str:
        header = start.decode(self._encoding, "replace").partition("\n")[0]
        unquoted = re.sub('"[^"]*"', "", header)
        return max(SEPARATORS, key=unquoted.count)

    def _texts(self, cells: pa.Array) -> "list[Any] | pa.Array":
        try:
            return cells.cast(TEXT)
        except pa.ArrowException:  # so that the error can name the row and the column
            return [cell.decode("utf-8", "surrogateescape") for cell in cells.to_pylist()]

    def _refuse_unless_long(self, error: Exception, block: int) -> None:
        if _TOO_LONG not in str(error) or block == _BLOCKS[-1]:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> ValueError:
        path = self._file.path
        if isinstance(error, (UnicodeError, LookupError)):
            return ValueError(f"{path}: --encoding {self._encoding!r} does not fit the file: {error}.")
        if found := _WRONG_WIDTH.search(str(error)):
            row, expected, got = map(int, found.groups())  # counted from 1, with the header
            return ValueError(
                f"{path}, row {row - 2}: expected {expected} fields as in the header, found {got}; --separator says "
                "what is between fields."
            )
        if _TOO_LONG in str(error):
            return ValueError(f"{path}: expected rows of at most {_BLOCKS[-1]} bytes, found a longer one.")
        return ValueError(f"{path}: not CSV: {error}.")
