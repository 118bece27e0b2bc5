"""Headers of a parquet file's pages: how large the pages become. A footer only says what its writer wants.

A header is a struct of Thrift's compact protocol; https://parquet.apache.org/docs/file-format/data-pages lists its
fields by number.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import SEEK_END
from typing import Any, BinaryIO

import pyarrow as pa

_FIRST_READ, _LONGEST_HEADER = 512, 2**20
_DEEPEST, _MOST_PAGES = 8, 1_000_000
_LARGEST_DICTIONARY = 2**24  # larger ones are not looked through; most writers stop at 1 MiB
# Types of Thrift's fields.
_TRUE, _FALSE, _INTEGERS, _TEXT, _LIST, _SET, _STRUCT = 1, 2, (4, 5, 6), 8, 9, 10, 12
_SIZES = {_TRUE: 1, _FALSE: 1, 3: 1, 7: 8}  # of what is passed over: booleans in lists, bytes, floats
# Fields of a page header; by the kind of a page of data where it stands, and where in that its encoding does.
_KIND, _SIZE, _STORED_SIZE = 1, 2, 3
# Of a file, before the four letters at its end: the length of its footer; fields of the footer and what is in it.
_TAIL, _GROUPS, _CHUNKS, _ABOUT_CHUNK, _SIZE_STATISTICS = 8, 4, 1, 3, 16
_DATA = {0: (5, 2), 3: (8, 4)}


class PageError(ValueError):
    """The pages are not where the footer says, or no pages."""


@dataclass(frozen=True)
class Page:
    """One page of a column.

    Attributes:
        n_bytes: Decompressed.
        n_values: Values of a page of data; 0 for a dictionary.
        encoding: Its number in the format; None for a dictionary.
        place: Where it begins in the file, after its header.
        stored_bytes: As it lies there.
    """

    n_bytes: int
    n_values: int
    encoding: int | None
    place: int
    stored_bytes: int


def read_pages(file: BinaryIO, chunk: Any) -> Iterator[Page]:
    """Yield the pages of a chunk of a column, as many as a reader would look at; reads no value.

    Args:
        file: The parquet file.
        chunk: What its footer says of the chunk, as pyarrow gives it.

    Raises:
        PageError: They are damaged.
    """
    place, n_values = _start(chunk), 0
    end = place + chunk.total_compressed_size
    for _ in range(_MOST_PAGES):
        if place >= end or n_values >= chunk.num_values:
            return
        page = _page(*_header(file, place))
        n_values += page.n_values
        place = page.place + page.stored_bytes
        yield page
    raise PageError(f"a column has more than {_MOST_PAGES} pages")


def check_histograms(file: BinaryIO, columns: Sequence[Any]) -> None:
    """Refuse a footer whose histograms of levels do not fit its columns: at the sight of one pyarrow ends the process.

    Args:
        file: The parquet file.
        columns: What its schema says of each column, as pyarrow gives it.

    Raises:
        PageError: They do not, or the footer is damaged.
    """
    file.seek(-_TAIL, SEEK_END)
    size = int.from_bytes(file.read(4), "little")
    file.seek(-_TAIL - size, SEEK_END)
    try:
        footer = _Header(file.read(size)).struct()
        chunks = [(columns[i], chunk) for group in footer[_GROUPS] for i, chunk in enumerate(group[_CHUNKS])]
        sizes = [(column, chunk.get(_ABOUT_CHUNK, {}).get(_SIZE_STATISTICS, {})) for column, chunk in chunks]
        wrong = [column.path for column, of_chunk in sizes if not _fits(of_chunk, column)]
    except (IndexError, LookupError, TypeError, AttributeError) as error:
        raise PageError("the footer does not describe its columns") from error
    if wrong:
        raise PageError(f"the footer's statistics of {wrong[0]!r:.60} are not of such a column")


def _fits(sizes: dict[int, Any], column: Any) -> bool:
    histograms = ((sizes.get(2), column.max_repetition_level), (sizes.get(3), column.max_definition_level))
    fit = all(not found or len(found) == levels + 1 for found, levels in histograms)
    return fit and (column.physical_type == "BYTE_ARRAY" or 1 not in sizes)


def longest_text(file: BinaryIO, dictionary: Page, codec: str) -> int:
    """Return how many bytes the longest text of a dictionary has, or the page's size where that is not easily told.

    Args:
        file: The parquet file.
        dictionary: Its page.
        codec: How pyarrow calls its compression.
    """
    if max(dictionary.n_bytes, dictionary.stored_bytes) > _LARGEST_DICTIONARY:
        return dictionary.n_bytes
    file.seek(dictionary.place)
    content = file.read(dictionary.stored_bytes)
    try:
        if codec != "UNCOMPRESSED":
            name = {"LZ4": "lz4_raw"}.get(codec, codec.lower())
            content = pa.decompress(content, dictionary.n_bytes, name, asbytes=True)
    except (pa.ArrowException, ValueError, OSError):
        return dictionary.n_bytes
    place = longest = 0
    while place < len(content):  # each text stands after its length in 4 bytes
        length = int.from_bytes(content[place : place + 4], "little")
        place += 4 + length
        longest = max(longest, length)
    return longest if place == len(content) else dictionary.n_bytes


def _start(chunk: Any) -> int:
    first = chunk.data_page_offset
    dictionary = chunk.dictionary_page_offset if chunk.has_dictionary_page else None
    start = int(dictionary) if dictionary and 0 < dictionary < first else int(first)
    if start < 0:
        raise PageError("a page lies before the file")
    return start


def _header(file: BinaryIO, place: int) -> tuple[dict[int, Any], int]:
    size = _FIRST_READ
    while size <= _LONGEST_HEADER:
        file.seek(place)
        header = _Header(file.read(size))
        try:
            return header.struct(), place + header.place
        except IndexError:
            size *= 16 if size * 16 <= _LONGEST_HEADER else 2
    raise PageError(f"the header of the page at byte {place} does not end")


def _page(header: dict[int, Any], place: int) -> Page:
    stored_bytes = _natural(header, _STORED_SIZE)
    n_bytes = max(_natural(header, _SIZE), stored_bytes)
    if (kind := header.get(_KIND)) not in _DATA:
        return Page(n_bytes, 0, None, place, stored_bytes)
    field, encoding = _DATA[kind]
    about = header.get(field)
    if not isinstance(about, dict):
        raise PageError("the header of a page of data does not describe it")
    return Page(n_bytes, _natural(about, 1), _natural(about, encoding), place, stored_bytes)


def _natural(struct: dict[int, Any], field: int) -> int:
    value = struct.get(field)
    if not isinstance(value, int) or value < 0:
        raise PageError(f"a page header has {value!r} where a number belongs")
    return value


class _Header:
    """Bytes that begin with a page header; reading past them raises IndexError."""

    def __init__(self, content: bytes) -> None:
        self._content, self.place = content, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Return the whole numbers, structs and lists of a struct by their fields' numbers; all else is passed over."""
        if depth > _DEEPEST:
            raise PageError("a page header is nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while (start := self._byte()) & 15:
            number = number + (start >> 4) if start >> 4 else self._integer()
            kind = start & 15
            fields[number] = None if kind in (_TRUE, _FALSE) else self._value(kind, depth)  # these stand in the kind
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _INTEGERS:
            return self._integer()
        if kind == _TEXT:
            return self._pass_over(self._varint())
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in (_LIST, _SET):
            return self._list(depth + 1)
        if kind not in _SIZES:
            raise PageError(f"a page header has a field of kind {kind}")
        return self._pass_over(_SIZES[kind])

    def _list(self, depth: int) -> list[Any]:
        if depth > _DEEPEST:
            raise PageError("a page header is nested too deeply")
        start = self._byte()
        return [self._value(start & 15, depth) for _ in range(self._varint() if start >> 4 == 15 else start >> 4)]

    def _pass_over(self, n_bytes: int) -> None:
        self.place += n_bytes
        if self.place > len(self._content):
            raise IndexError

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise PageError("a page header has a number that is too long")

    def _byte(self) -> int:
        self.place += 1
        return self._content[self.place - 1]
