"""Where each row of an outcome table belongs: the grid of (query, LLM, repeat), in which whole pairs may be missing."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.tables import check

# Cells beyond `check.MOST_ROWS` are those of rows that are there: a few missing pairs for each that is not.
MOST_CELLS_PER_ROW = 4
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Labels:
    """What each row is about.

    Attributes:
        queries, llms: A code per row; codes rise with the rows where they first occur.
        query_ids, llm_names: What the codes mean.
        repeats: Per row.
    """

    queries: NDArray[np.int32]
    query_ids: list[str]
    llms: NDArray[np.int32]
    llm_names: list[str]
    repeats: NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Rows and cells; cell number ((query * LLMs) + LLM) * repeats + repeat.

    Attributes:
        query_ids, llm_names: In table order.
        shape: Queries, LLMs, repeats.
        row_order: The rows by rising cell number; None: they lie in that order.
        cells: The cell number of each row of `row_order`; None: every cell has its row.
    """

    query_ids: tuple[str, ...]
    llm_names: tuple[str, ...]
    shape: tuple[int, int, int]
    row_order: Ints | None
    cells: Ints | None

    @cached_property
    def present(self) -> NDArray[np.bool_]:
        """Which pairs of a query and an LLM have rows, shape (queries, LLMs)."""
        found = np.ones(self.shape[:2], dtype=bool)
        if self.cells is not None:
            found[:] = False
            found.flat[self.cells[:: self.shape[2]] // self.shape[2]] = True
        found.flags.writeable = False
        return found

    @cached_property
    def first_rows(self) -> Ints:
        """For each query, the row of its first cell that has one."""
        if self.cells is None:
            return self._rows(np.arange(self.shape[0]) * (self.shape[1] * self.shape[2]))
        return self._rows(np.searchsorted(self._queries, np.arange(self.shape[0])))

    def spread(self, values: NDArray[Any], missing: Any) -> NDArray[Any]:
        """Return values of the rows by cell, read-only, shape (queries, LLMs, repeats)."""
        ordered = values if self.row_order is None else values[self.row_order]
        if self.cells is not None:
            filled = np.full(math.prod(self.shape), missing, dtype=values.dtype)
            filled[self.cells] = ordered
            ordered = filled
        grid = ordered.reshape(self.shape)
        grid.flags.writeable = False  # tables are shared by every environment of a process
        return grid

    def row(self, query: int, llm: int, repeat: int) -> int | None:
        """Return the row of a cell; None where its pair is missing."""
        if not all(0 <= index < size for index, size in zip((query, llm, repeat), self.shape, strict=True)):
            raise IndexError(f"There is no cell {(query, llm, repeat)} in a table of shape {self.shape}.")
        place = (query * self.shape[1] + llm) * self.shape[2] + repeat
        if self.cells is not None:
            cell, place = place, int(np.searchsorted(self.cells, place))
            if place == len(self.cells) or self.cells[place] != cell:
                return None
        return place if self.row_order is None else int(self.row_order[place])

    def rows_of(self, queries: Ints) -> tuple[Ints, Ints]:
        """Return the rows of some queries, rising, by rising cell number; and for each row, which of them it is of."""
        chosen = np.full(self.shape[0], -1)
        chosen[queries] = np.arange(len(queries))
        places = np.flatnonzero(chosen[self._queries] >= 0)
        return self._rows(places), chosen[self._queries[places]]

    @property
    def _queries(self) -> Ints:
        cells = np.arange(math.prod(self.shape)) if self.cells is None else self.cells
        return cells // (self.shape[1] * self.shape[2])

    def _rows(self, places: Ints) -> Ints:
        return places if self.row_order is None else self.row_order[places]


def make_grid(labels: Labels, llms: list[str] | None, where: str, row_name: Callable[[int], str]) -> Grid:
    """Return the grid of a table's rows.

    Args:
        labels: Queries keep the order of their first row.
        llms: In this order; None: of their first row.
        where: What errors call the table.
        row_name: Gives what they call a row.

    Raises:
        ValueError: For a duplicate row, a pair of query and LLM that has some of the repeats, an LLM without rows, or
            a grid that is much larger than the rows in it.
    """
    names = _llm_names(labels.llm_names, llms, where)
    n_rows, repeats = len(labels.repeats), labels.repeats
    # A count beyond the number of rows has gaps, and would make a huge grid.
    if not (repeats.min() >= 0 and repeats.max() < n_rows):
        raise ValueError(f"{where}: column 'repeat' must count from 0, without gaps.")
    shape = (len(labels.query_ids), len(names), int(repeats.max()) + 1)
    places = {name: place for place, name in enumerate(names)}
    llm = np.array([places[name] for name in labels.llm_names])[labels.llms]
    pairs = labels.queries * np.int64(shape[1]) + llm
    repeat = repeats.astype(np.int64)
    if n_rows == math.prod(shape) and np.array_equal(pairs * shape[2] + repeat, np.arange(n_rows)):
        return Grid(tuple(labels.query_ids), names, shape, None, None)
    order = np.lexsort((repeat, pairs))
    fault = _fault(pairs[order], repeat[order], shape[2])
    if fault:
        again, pair, number = fault
        cell = f"query {labels.query_ids[pair // shape[1]]!r}, LLM {names[pair % shape[1]]!r}, repeat {number}"
        if again is not None:
            raise ValueError(f"{row_name(int(order[again]))}: duplicate of {cell}.")
        raise ValueError(f"{where}: no row for {cell}; a pair of query and LLM has every repeat, or none.")
    if math.prod(shape) > max(check.MOST_ROWS, MOST_CELLS_PER_ROW * n_rows):
        raise ValueError(f"{where}: a grid of {shape[0]} queries, {shape[1]} LLMs and {shape[2]} repeats is too large.")
    is_complete = n_rows == math.prod(shape)
    cells = None if is_complete else (pairs * shape[2] + repeat)[order]
    return Grid(tuple(labels.query_ids), names, shape, order, cells)


def _llm_names(found: list[str], said: list[str] | None, where: str) -> tuple[str, ...]:
    names = tuple(found if said is None else said)
    if set(names) != set(found) or len(set(names)) < len(names):
        raise ValueError(f"{where}: its metadata names the LLMs {list(names)}, its rows {found}.")
    check.check_names(names, "LLMs", where)
    return names


def _fault(pairs: Ints, repeats: Ints, n_repeats: int) -> tuple[int | None, int, int] | None:
    """Return the first fault of sorted rows: the place of a duplicate (None: a row is missing), its pair and repeat."""
    twice = np.flatnonzero((pairs[1:] == pairs[:-1]) & (repeats[1:] == repeats[:-1]))
    if len(twice):
        place = int(twice[0]) + 1
        return place, int(pairs[place]), int(repeats[place])
    places = np.arange(len(pairs))
    expected = places % n_repeats
    is_wrong = (repeats != expected) | (pairs != pairs[places - expected])
    if not is_wrong.any() and len(pairs) % n_repeats == 0:
        return None
    place = int(np.argmax(is_wrong)) if is_wrong.any() else len(pairs)
    missing = place % n_repeats
    return None, int(pairs[place - missing]), missing
