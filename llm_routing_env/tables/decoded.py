"""What a parquet file takes in memory, told before it is taken: a few kilobytes may say a long text a million times."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_routing_env.tables.check import MOST_BYTES, check_size
from llm_routing_env.tables.pages import Page, PageError, longest_text, read_pages

# Any file may decode to the first; a larger one to so many times its size, which is more than compression makes of
# outcomes, each of which has numbers of its own; none to more than a table may declare.
ALWAYS_BYTES, MOST_TIMES_FILE = 2**30, 1000
_CODES, _DELTA_OF_TEXT = (2, 8), 7  # encodings, by their numbers in the format
_WIDEST_NUMBER = 8


@dataclass
class _Coded:
    """The values of a chunk that point into its dictionary.

    Attributes:
        dictionary: The page.
        codec: How it is compressed.
        most_bytes: No text of it is longer.
        n_values: How many there are.
    """

    dictionary: Page
    codec: str
    most_bytes: int
    n_values: int = 0


@dataclass
class _Leaf:
    """A column of texts or numbers, as its pages say it.

    Attributes:
        is_text: Whether its values are bytes of any length.
        held_bytes: What it takes with texts as codes into a dictionary.
        plain_bytes: What takes as much in memory as in its page.
        coded: What may take more.
    """

    is_text: bool
    held_bytes: int = 0
    plain_bytes: int = 0
    coded: list[_Coded] = field(default_factory=list)

    @property
    def spelled_bytes(self) -> int:
        """The most that it takes with every text spelled out."""
        return self.plain_bytes + sum(part.n_values * part.most_bytes for part in self.coded)


class DecodedSize:
    """The sizes of a parquet file's columns in memory.

    Attributes:
        allowed_bytes: The most that is taken for the file.
    """

    def __init__(self, path: Path, footer: Any, where: str) -> None:
        """Look at every page's header, and check that texts as codes, and all else, may be held.

        Raises:
            ValueError: They take more than is allowed, or the pages are damaged.
        """
        check_size(footer, where)
        self._path, self._where = path, where
        self.allowed_bytes = min(MOST_BYTES, max(ALWAYS_BYTES, MOST_TIMES_FILE * os.stat(path).st_size))
        try:
            self._leaves = _leaves(path, footer)
        except PageError as error:
            raise ValueError(f"{where}: not a parquet file that can be read: {error}.") from error
        self.require(sum(leaf.held_bytes for leaf in self._leaves.values()), "it")

    def unclear(self, columns: Iterable[str]) -> list[str]:
        """Return the texts in some columns that may be too large when spelled out: only their codes tell.

        Returns:
            Their paths in the file: "response", "references.list.element".
        """
        within = tuple(f"{column}." for column in columns)
        texts = {path: leaf for path, leaf in self._leaves.items() if leaf.is_text and f"{path}.".startswith(within)}
        if self._fit(texts.values()):
            return []
        with open(self._path, "rb") as file:
            for part in (part for leaf in texts.values() for part in leaf.coded):
                part.most_bytes = longest_text(file, part.dictionary, part.codec)
        return [] if self._fit(texts.values()) else list(texts)

    def _fit(self, leaves: Iterable[_Leaf]) -> bool:
        return sum(leaf.spelled_bytes for leaf in leaves) <= self.allowed_bytes

    def require(self, n_bytes: int, what: str) -> None:
        """Raise ValueError if so many bytes are more than is allowed."""
        if n_bytes > self.allowed_bytes:
            raise ValueError(
                f"{self._where}: {what} would take {n_bytes} bytes of memory or more; a file of its size may take "
                f"{self.allowed_bytes}."
            )


def _leaves(path: Path, footer: Any) -> dict[str, _Leaf]:
    columns = [footer.schema.column(index) for index in range(footer.num_columns)]
    leaves = {column.path: _Leaf(column.physical_type == "BYTE_ARRAY") for column in columns}
    with open(path, "rb") as file:
        for group in range(footer.num_row_groups):
            for index, column in enumerate(columns):
                chunk = footer.row_group(group).column(index)
                width = max(_WIDEST_NUMBER, column.length or 0)  # a code, a place in a text, or a number
                _add_chunk(leaves[column.path], read_pages(file, chunk), chunk.compression, width)
    return leaves


def _add_chunk(leaf: _Leaf, pages: Iterable[Page], codec: str, width: int) -> None:
    coded = None
    for page in pages:
        # Each text of such a page may begin with all of the one before.
        own_bytes = page.n_bytes * (page.n_values if page.encoding == _DELTA_OF_TEXT else 1)
        leaf.held_bytes += own_bytes + width * page.n_values
        leaf.plain_bytes += width * page.n_values
        if page.encoding is None:
            coded = _Coded(page, codec, page.n_bytes)
            leaf.coded.append(coded)
        elif coded is not None and page.encoding in _CODES:
            coded.n_values += page.n_values
        else:
            leaf.plain_bytes += own_bytes
