"""Reads other people's files in batches of columns: parquet, CSV and JSON lines. Pickles are refused."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.tables.batches import bounded_batches
from llm_routing_env.tables.decoded import DecodedSize

Cells: TypeAlias = "list[Any] | pa.Array"
BATCH_ROWS = 16_384  # bounds what is in memory as Python objects
_PEEKED_LINES = 100  # JSON lines whose keys count as the file's columns
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True)
class Source:
    """A file of rows with named columns.

    Attributes:
        path: Parquet, CSV (or TSV), or JSON lines, told apart by the suffix.
        encoding: Of CSV and JSON lines.
    """

    path: Path
    encoding: str = "utf-8"

    def columns(self) -> list[str]:
        """Return the names of the columns.

        Raises:
            ValueError: If the file cannot be read, is a pickle, or names a column twice.
        """
        _refuse_pickle(self.path)
        suffix = self.path.suffix.lower()
        if suffix in (".parquet", ".pq"):
            names = self._parquet().schema_arrow.names
        elif suffix in _SEPARATORS:
            with self._text() as file:
                names = next(iter(self._csv(file)), (0, []))[1]
        elif suffix in _JSON:
            with self._text() as file:
                names = list(dict.fromkeys(chain.from_iterable(islice(self._objects(file), _PEEKED_LINES))))
        else:
            raise ValueError(f"{self.path}: expected a .parquet, .csv, .tsv or .jsonl file, found {suffix!r}.")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            raise ValueError(f"{self.path}: expected columns with unique names, found {twice or 'none'}.")
        return list(names)

    def batches(self, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Cells]]]:
        """Yield the number of a batch's first row, from 0, and its cells by column; absent cells are None."""
        first_row = 0
        for batch in self._batches(columns):
            yield first_row, batch
            first_row += len(batch[columns[0]])
        if first_row == 0:
            raise ValueError(f"{self.path}: expected rows, found none.")

    def _batches(self, columns: Sequence[str]) -> Iterator[Mapping[str, Cells]]:
        suffix = self.path.suffix.lower()
        if suffix in (".parquet", ".pq"):
            yield from self._parquet_batches(columns)
            return
        with self._text() as file:
            if suffix in _SEPARATORS:
                rows = self._csv(file)
                header = next(rows)[1]
                position = [header.index(name) for name in columns]
                while batch := [[row[i] for i in position] for _, row in islice(rows, BATCH_ROWS)]:
                    yield dict(zip(columns, map(list, zip(*batch, strict=True)), strict=True))
            else:
                objects = self._objects(file)
                while records := list(islice(objects, BATCH_ROWS)):
                    yield {name: [record.get(name) for record in records] for name in columns}

    def _parquet_batches(self, columns: Sequence[str]) -> Iterator[Mapping[str, Cells]]:
        with self._readable():
            with self._parquet() as file:
                size = DecodedSize(self.path, file.metadata, str(self.path))
            for batch in bounded_batches(self._parquet, size, columns, BATCH_ROWS):
                yield dict(zip(columns, batch.columns, strict=True))

    def _parquet(self, codes: Sequence[str] = ()) -> pq.ParquetFile:
        with self._readable():
            # Buffered: else a row group, which may be the whole file, is held as it lies on disk.
            return pq.ParquetFile(self.path, read_dictionary=codes, pre_buffer=False, buffer_size=2**20)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path}: expected a parquet file, found something else: {error}.") from error

    @contextmanager
    def _text(self) -> Iterator[TextIO]:
        # Undecodable bytes become surrogates, so that the error can name their row and column.
        signed = "utf-8-sig" if self.encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self.encoding
        try:
            with open(self.path, encoding=signed, errors="surrogateescape", newline="") as file:
                yield file
        except (LookupError, UnicodeError) as error:
            raise ValueError(f"{self.path}: --encoding {self.encoding!r} does not fit the file: {error}.") from error

    def _csv(self, file: TextIO) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(sys.maxsize)  # prompts and responses exceed the default of 128 KiB
        reader = csv.reader(file, delimiter=_SEPARATORS[self.path.suffix.lower()])
        width = 0
        try:
            for row in reader:
                width = width or len(row)
                if row and len(row) != width:
                    where = f"{self.path}, line {reader.line_num}"
                    raise ValueError(f"{where}: expected {width} fields as in the header, found {len(row)}.")
                if row:
                    yield reader.line_num, row
        except csv.Error as error:
            raise ValueError(f"{self.path}, line {reader.line_num}: not CSV: {error}.") from error

    def _objects(self, file: TextIO) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            where = f"{self.path}, line {number}"
            try:
                record = json.loads(line)
            except (json.JSONDecodeError, RecursionError) as error:
                raise ValueError(f"{where}: expected one JSON object per line, found {line[:40]!r}: {error}.") from None
            if not isinstance(record, dict):
                raise ValueError(f"{where}: expected one JSON object per line, found a {type(record).__name__}.")
            yield record


def _refuse_pickle(path: Path) -> None:
    with open(path, "rb") as file:
        start = file.read(2)
    if path.suffix.lower() in (".pkl", ".pickle") or (start[:1] == b"\x80" and start[1:] in b"\x02\x03\x04\x05"):
        target = path.with_suffix(".jsonl").name
        raise ValueError(
            f"{path}: a pickle can run any program when it is opened, so pickllm does not open it. If you trust where "
            f'it comes from, convert it: python -c "import pandas; pandas.read_pickle({path.name!r}).to_json('
            f"{target!r}, orient='records', lines=True)\""
        )
