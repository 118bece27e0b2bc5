"""One or several files as batches of cells, by what they are taken for."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.importing.csv_rows import CsvRows
from llm_routing_env.importing.files import CSV, JSON, DataFile, find_files
from llm_routing_env.importing.joins import Join, Joined
from llm_routing_env.importing.json_rows import JsonRows
from llm_routing_env.importing.nested import STAR, follow, head_of, is_told, rows_of
from llm_routing_env.importing.parquet_rows import ParquetRows

Cells: TypeAlias = "list[Any] | pa.Array"
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    Attributes:
        path: The file.
        names: What the columns are called in it, by role.
        cells: By role; None or null where empty.
        rows: Where in the file each row is from, counted from 0 without the header; of stars, which member it is.
        share_read: How much of all files is read, from 0 to 1.
    """

    path: Path
    names: Mapping[str, str]
    cells: Mapping[str, Cells]
    rows: Ints
    share_read: float

    def taken(self, places: Ints) -> "Batch":
        """Return some of the rows."""
        if len(places) == len(self.rows):
            return self
        cells = {role: _taken(found, places) for role, found in self.cells.items()}
        return replace(self, cells=cells, rows=self.rows[places])


@dataclass
class Source:
    """Files of rows with named columns.

    Attributes:
        paths: Files, or folders of files: parquet, CSV and JSON, also compressed.
        encoding: Of CSV and JSON.
        separator: Of CSV; None: found in the header.
        quoted: Whether double quotes around a field of CSV are no part of it.
        patterns: Which files of a folder are meant.
        about: What a file's path says of all its rows: texts by role.
        shape: What is done to each object of JSON.
        joins: Other files' columns.
        files: What was found.
        n_replaced: Objects of JSON that held half a character, replaced by U+FFFD.
    """

    paths: Sequence[Path]
    encoding: str = "utf-8"
    separator: str | None = None
    quoted: bool = True
    patterns: Sequence[str] = ("*",)
    about: Callable[[Path], Mapping[str, str]] = lambda path: {}
    joins: Sequence[Join] = ()
    shape: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    files: list[DataFile] = field(init=False)
    n_replaced: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Look at the files, and read what columns they have."""
        self.files = find_files(self.paths, self.patterns)
        self._joined = Joined(self.joins, self._other_rows)
        self._columns, self._inner = zip(*map(self._named, self.files), strict=True)

    @property
    def n_unmatched(self) -> Mapping[str, int]:
        """How many rows have none in a joined file, by the join's name."""
        return self._joined.n_unmatched

    def columns(self) -> list[str]:
        """Return the names of the columns of all files, dotted ones last; some files may lack one."""
        return list(dict.fromkeys(name for each in (*self._columns, *self._inner) for name in each))

    def batches(self, names: Mapping[str, Sequence[str]], sure: Collection[str] = ()) -> Iterator[Batch]:
        """Yield batches of cells.

        Args:
            names: The columns that each role may have, of which the first that a file has counts; dotted names reach
                into cells, see `nested`; of "a or b" the first that is not empty counts in each row.
            sure: Roles whose columns must be something in some row.

        Raises:
            ValueError: A file is damaged, or a name is of nothing in any row.
        """
        unseen = set(sure) & names.keys()
        for number, (file, columns) in enumerate(zip(self.files, self._columns, strict=True)):
            heads = {role: self._heads(each, columns, self._inner[number]) for role, each in names.items()}
            wanted = list(dict.fromkeys(head for each in heads.values() for head, _ in each)) or columns[:1]
            told = {role: text for role, text in self.about(file.path).items() if role not in names}
            here = {role: ".".join((each[0][0], *each[0][1])) for role, each in heads.items() if each}
            is_starred = any(STAR in path for each in heads.values() for _, path in each)
            first_row = 0
            for raw, share_read in self._raw(file, wanted):
                try:
                    cells, places = _picked(raw, heads, len(raw[wanted[0]]))
                except ValueError as fault:
                    raise ValueError(f"{file.path}: {fault}.") from None
                unseen = {role for role in unseen if not _has_any(cells[role])}
                cells |= {role: [text] * len(places) for role, text in told.items()}
                rows = np.arange(len(places)) if is_starred else places  # members are counted, not what holds them
                yield Batch(file.path, here, cells, first_row + rows, (number + share_read) / len(self.files))
                first_row += len(places) if is_starred else len(raw[wanted[0]])
        for name in (name for role in names if role in unseen for name in names[role]):
            if name not in self.columns():
                raise ValueError(f"{self.files[0].path}: {unknown_name('column', name, self.columns())}")

    def _heads(self, names: Sequence[str], columns: Sequence[str], inner: Sequence[str]) -> "list[Head]":
        """Return where the alternatives of the first name lie that a file has: columns, and paths in them."""
        others, known = {join.name for join in self.joins}, [*columns, *inner]
        for is_sure in (True, False):
            for name in names:
                parts = [name] if name in columns else name.split(" or ")
                found = {part: head for part in parts if (head := head_of(part, columns)) is not None}
                if found and not is_sure:
                    return list(found.values())
                if any(head[0] in others or is_told(part, known) for part, head in found.items()):
                    return list(found.values())
        return []

    def _raw(self, file: DataFile, wanted: Sequence[str]) -> Iterator[tuple[dict[str, Cells], float]]:
        """Yield the columns of a file as they lie in it, and the rows of other files that belong to it."""
        joins = [join for join in self.joins if join.name in wanted]
        others = {join.name for join in joins}
        keys = [key for join in joins for key in join.keys]
        reader = self._reader(file)
        for batch in reader.batches(list(dict.fromkeys([*(name for name in wanted if name not in others), *keys]))):
            found: dict[str, Cells] = dict(batch)
            for join in joins:
                found[join.name] = self._joined.rows(join.name, file.path, [as_list(batch[key]) for key in join.keys])
            yield found, reader.share_read
        self.n_replaced += reader.n_replaced if isinstance(reader, JsonRows) else 0

    def _other_rows(self, path: Path) -> Iterator[Mapping[str, Any]]:
        for file in find_files([path]):
            reader = self._reader(file)
            if isinstance(reader, JsonRows):
                yield from reader.objects()
                continue
            columns = reader.columns()[0]
            for batch in reader.batches(columns):
                yield from (
                    dict(zip(columns, row, strict=True)) for row in zip(*map(as_list, batch.values()), strict=True)
                )

    def _named(self, file: DataFile) -> tuple[list[str], list[str]]:
        names, inner = self._reader(file).columns()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice or not names:
            raise ValueError(f"{file.path}: expected columns with unique names, found {twice or 'none'}.")
        for join in self.joins:
            names.append(join.name)
            for key in join.keys:
                if key not in names and not join.may_lack(key):
                    raise ValueError(
                        f"{file.path}: {unknown_name('column', key, names, f'{join.name!r} is joined by it.')}"
                    )
        return names, inner

    def _reader(self, file: DataFile) -> CsvRows | JsonRows | ParquetRows:
        if file.kind == CSV:
            return CsvRows(file, self.encoding, self.separator, quoted=self.quoted)
        return JsonRows(file, self.encoding, self.shape) if file.kind == JSON else ParquetRows(file)


def as_list(cells: Cells) -> list[Any]:
    """Return cells as Python objects."""
    return cells if isinstance(cells, list) else list(cells.to_pylist())


Head = tuple[str, tuple[str, ...]]


def _picked(
    raw: Mapping[str, Cells], heads: Mapping[str, Sequence[Head]], n_rows: int
) -> tuple[dict[str, Cells], Ints]:
    """Return cells by role, and of which raw row each is."""
    each = {(role, rank): head for role, several in heads.items() for rank, head in enumerate(several)}
    starred = {key: (name, *path) for key, (name, path) in each.items() if STAR in path}
    cells = {key: _cells(raw, *head) for key, head in each.items() if key not in starred}
    places = np.arange(n_rows)
    if starred:
        columns = {name: as_list(raw[name]) for name in {path[0] for path in starred.values()}}
        rows = [rows_of({name: column[row] for name, column in columns.items()}, starred) for row in range(n_rows)]
        places = np.repeat(places, [len(members) for members in rows])
        cells = {key: _taken(found, places) for key, found in cells.items()}
        cells |= {key: [member[key] for members in rows for member in members] for key in starred}
    return {
        role: _first([cells[role, rank] for rank in range(len(several))], len(places))
        for role, several in heads.items()
    }, places


def _cells(raw: Mapping[str, Cells], name: str, path: tuple[str, ...]) -> Cells:
    return [follow(cell, path) for cell in as_list(raw[name])] if path else raw[name]


def _first(several: Sequence[Cells], n_rows: int) -> Cells:
    """Return the first of each row's cells that is not empty."""
    if len(several) == 1:
        return several[0]
    return [
        next((cell for cell in row if cell not in (None, "")), None) for row in zip(*map(as_list, several), strict=True)
    ] or [None] * n_rows


def _taken(cells: Cells, places: Ints) -> Cells:
    return [cells[place] for place in places] if isinstance(cells, list) else cells.take(pa.array(places))


def _has_any(cells: Cells) -> bool:
    return any(cell is not None for cell in cells) if isinstance(cells, list) else cells.null_count < len(cells)
