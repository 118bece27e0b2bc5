"""What a parquet file takes in memory, told before it is taken: a few kilobytes may say a long text a million times."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_routing_env.tables.check import MOST_BYTES, check_size
from llm_routing_env.tables.pages import Page, PageError, check_histograms, longest_text, read_pages

# Any file may decode to the first; a larger one to so many times its size, which is more than compression makes of
# outcomes, each of which has numbers of its own; none to more than a table may declare.
ALWAYS_BYTES, MOST_TIMES_FILE = 2**30, 1000
# Encodings, by their numbers in the format. Arrow cannot read texts in the last ones as codes.
_CODES, _DELTA_OF_TEXT, _WITHOUT_CODES = (2, 8), 7, (6, 7)
_WIDEST_NUMBER = 8


def allowed_bytes(n_bytes: int, n_files: int = 1) -> int:
    """Return how many bytes a file of so many may decode to, where it is one of several that are read together."""
    return min(MOST_BYTES, max(ALWAYS_BYTES // n_files, MOST_TIMES_FILE * n_bytes))


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
        is_nested: Whether a row may have many of them.
        may_be_codes: Whether Arrow can read its texts as codes into a dictionary.
        held_bytes: What its pages take, texts of a dictionary as codes.
        plain_bytes: What takes as much in memory as in its page.
        delta_bytes: The most that texts take each of which may begin with all of the one before.
        coded: What may take more than its pages.
        longest_page: The most bytes of one page; no text is longer.
        densest_page: The most bytes per value of one page that spells its texts.
    """

    is_text: bool
    is_nested: bool
    may_be_codes: bool = True
    held_bytes: int = 0
    plain_bytes: int = 0
    delta_bytes: int = 0
    coded: list[_Coded] = field(default_factory=list)
    longest_page: int = 0
    densest_page: float = 0.0

    def spelled_in(self, n_rows: int) -> float:
        """Return the most that so many rows in succession take with every text spelled out."""
        if self.is_nested or self.delta_bytes:
            return self.spelled_bytes
        longest = max((part.most_bytes for part in self.coded), default=0)
        return n_rows * (longest + self.densest_page) + 2 * self.longest_page  # it may begin and end within a page

    @property
    def spelled_bytes(self) -> int:
        """The most that it takes with every text spelled out."""
        return self.plain_bytes + self.delta_bytes + sum(part.n_values * part.most_bytes for part in self.coded)

    @property
    def least_bytes(self) -> int:
        """What it takes at least while it is read: all where neither codes nor a few rows at a time take less."""
        return self.spelled_bytes if self.is_nested and not self.may_be_codes else self.held_bytes


class DecodedSize:
    """The sizes of a parquet file's columns in memory.

    Attributes:
        allowed_bytes: The most that is taken for the file.
    """

    def __init__(self, path: Path, footer: Any, where: str, n_files: int = 1) -> None:
        """Look at every page's header, and check that texts as codes, and all else, may be held.

        Args:
            path: The file.
            footer: Its footer, as pyarrow gives it.
            where: What errors call it.
            n_files: Of the table: they share what any file may take, else a thousand small ones might take a terabyte.

        Raises:
            ValueError: They take more than is allowed, or the pages are damaged.
        """
        check_size(footer, where)
        self._path, self._where = path, where
        self.allowed_bytes = allowed_bytes(os.stat(path).st_size, n_files)
        try:
            self._leaves = _leaves(path, footer)
        except PageError as error:
            raise ValueError(f"{where}: not a parquet file that can be read: {error}.") from error
        self.require(sum(leaf.least_bytes for leaf in self._leaves.values()), "it")

    def unclear(self, columns: Iterable[str], at_most: int | None = None, n_rows: int | None = None) -> list[str]:
        """Return the texts in some columns that may be too large when spelled out: only reading them tells.

        Args:
            columns: Their names.
            at_most: What is too large, in bytes; None: more than is allowed.
            n_rows: In how many rows in succession; None: in all.

        Returns:
            Their paths in the file: "response", "references.list.element".
        """
        most = self.allowed_bytes if at_most is None else at_most
        within = tuple(f"{column}." for column in columns)
        texts = {path: leaf for path, leaf in self._leaves.items() if leaf.is_text and f"{path}.".startswith(within)}
        if _fit(texts.values(), most, n_rows):
            return []
        with open(self._path, "rb") as file:
            for part in (part for leaf in texts.values() for part in leaf.coded):
                part.most_bytes = longest_text(file, part.dictionary, part.codec)
        return [] if _fit(texts.values(), most, n_rows) else list(texts)

    def as_codes(self, paths: Iterable[str]) -> list[str]:
        """Return those of some texts that Arrow can read as codes into a dictionary."""
        return [path for path in paths if self._leaves[path].may_be_codes]

    def rows_within(self, n_bytes: int, paths: Iterable[str]) -> int:
        """Return how many rows, at least 1, take no more than so many bytes in each text that is never codes."""
        spelled = (leaf for leaf in map(self._leaves.__getitem__, paths) if not leaf.may_be_codes)
        return max(1, n_bytes // max((leaf.longest_page for leaf in spelled), default=1))

    def require(self, n_bytes: int, what: str) -> None:
        """Raise ValueError if so many bytes are more than is allowed."""
        if n_bytes > self.allowed_bytes:
            raise ValueError(
                f"{self._where}: {what} would take {n_bytes} bytes of memory or more; a file of its size may take "
                f"{self.allowed_bytes}."
            )


def _fit(leaves: Iterable[_Leaf], n_bytes: int, n_rows: int | None) -> bool:
    return sum(leaf.spelled_bytes if n_rows is None else leaf.spelled_in(n_rows) for leaf in leaves) <= n_bytes


def _leaves(path: Path, footer: Any) -> dict[str, _Leaf]:
    columns = [footer.schema.column(index) for index in range(footer.num_columns)]
    leaves = {each.path: _Leaf(each.physical_type == "BYTE_ARRAY", "." in each.path) for each in columns}
    with open(path, "rb") as file:
        check_histograms(file, columns)
        for group in range(footer.num_row_groups):
            for index, column in enumerate(columns):
                chunk = footer.row_group(group).column(index)
                width = max(_WIDEST_NUMBER, column.length or 0)  # a code, a place in a text, or a number
                _add_chunk(leaves[column.path], read_pages(file, chunk), chunk.compression, width)
    return leaves


def _add_chunk(leaf: _Leaf, pages: Iterable[Page], codec: str, width: int) -> None:
    coded = None
    for page in pages:
        leaf.held_bytes += page.n_bytes + width * page.n_values
        leaf.plain_bytes += width * page.n_values
        leaf.longest_page = max(leaf.longest_page, page.n_bytes)
        leaf.may_be_codes &= page.encoding not in _WITHOUT_CODES
        if page.encoding is None:
            coded = _Coded(page, codec, page.n_bytes)
            leaf.coded.append(coded)
        elif coded is not None and page.encoding in _CODES:
            coded.n_values += page.n_values
        elif leaf.is_text and page.encoding == _DELTA_OF_TEXT:
            leaf.delta_bytes += page.n_bytes * page.n_values
        else:
            leaf.plain_bytes += page.n_bytes
            leaf.densest_page = max(leaf.densest_page, page.n_bytes / max(page.n_values, 1))
