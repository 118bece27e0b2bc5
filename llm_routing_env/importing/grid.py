"""Which imported rows make a complete grid of (query, LLM, repeat), and what is wrong where they do not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.importing.rows import Rows

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
DROP = "--drop-incomplete drops such queries"
_OF_THE_QUERY = ("context", "split", "prompt", "references")


@dataclass(frozen=True)
class Grid:
    """The rows to keep.

    Attributes:
        order: File rows in (query, LLM, repeat) order.
        shape: Queries, LLMs, repeats.
        n_dropped: Queries left out because they were incomplete.
    """

    order: Ints
    shape: tuple[int, int, int]
    n_dropped: int


def complete_grid(rows: Rows, *, drop_incomplete: bool) -> Grid:
    """Return the complete queries' rows in order.

    Raises:
        ValueError: For a duplicate row; a query whose rows contradict each other; and, unless they are to be dropped,
            an empty cell or a missing LLM. Names file, row, query, LLM, and the flag that helps.
    """
    query, llm = (rows.texts[role].codes.astype(np.int64) for role in ("query_id", "llm"))
    repeat = _repeats(rows, len(query))
    size = (int(query.max()) + 1, int(llm.max()) + 1, int(repeat.max()) + 1)
    key = np.ravel_multi_index((query, llm, repeat), size)
    order = np.argsort(key, kind="stable")
    _check_unique(rows, key, order)
    _check_agreement(rows, query)
    valid = _valid(rows, len(query), drop_incomplete)
    counts = np.bincount(query[valid], minlength=size[0])
    complete = counts == size[1] * size[2]
    if not complete.all() and not drop_incomplete:
        raise _missing(rows, key, query, size, int(np.argmin(complete)))
    if not complete.any():
        raise _nothing_left(rows, llm[valid], size)
    return Grid(order[complete[query[order]]], (int(complete.sum()), *size[1:]), int((~complete).sum()))


def _repeats(rows: Rows, n_rows: int) -> Ints:
    values = rows.array("repeat")
    if values is None:
        return np.zeros(n_rows, dtype=np.int64)
    bad = np.isnan(values) | (values != np.floor(values)) | (values >= n_rows)
    if bad.any():
        row = int(np.argmax(bad))
        raise rows.refusal("repeat", row, "a whole number that counts from 0", values[row])
    return values.astype(np.int64)


def _check_unique(rows: Rows, key: Ints, order: Ints) -> None:
    again = np.flatnonzero(np.diff(key[order]) == 0)
    if len(again):
        first, second = order[again[0]], order[again[0] + 1]
        raise ValueError(
            f"{rows.path}, row {rows.where(second)}: expected one row per query and LLM, found "
            f"{rows.cell_name(second)} again (first in row {rows.where(first)}); {rows.columns['query_id'].flag} names "
            "another id, or remove one of the rows."
        )


def _check_agreement(rows: Rows, query: Ints) -> None:
    """Check that all rows of a query say the same about it."""
    _, first = np.unique(query, return_index=True)  # codes count from 0, so this is by code
    for role in _OF_THE_QUERY:
        if role not in rows.texts:
            continue
        codes = rows.texts[role].codes
        other = codes != codes[first[query]]
        if other.any():
            row = int(np.argmax(other))
            start = int(first[query[row]])
            expected = f"{rows.text(role, start)!r:.60} as in row {rows.where(start)} of the same query"
            raise rows.refusal(role, row, expected, rows.text(role, row))


def _valid(rows: Rows, n_rows: int, drop_incomplete: bool) -> Mask:
    """Return which rows have all their numbers; a column that is empty throughout counts as not recorded."""
    valid = np.ones(n_rows, dtype=bool)
    for role in ("accuracy", "cost_usd", "latency_s"):
        values = rows.array(role)
        if values is None and role == "accuracy":
            raise rows.refusal(role, 0, "a score", None)
        if values is None:
            continue
        empty = np.isnan(values)
        if empty.any() and not drop_incomplete:
            row = int(np.argmax(empty))
            raise rows.refusal(role, row, f"a number for {rows.cell_name(row)}", None, DROP)
        valid &= ~empty
    return valid


def _missing(rows: Rows, key: Ints, query: Ints, size: tuple[int, int, int], code: int) -> ValueError:
    stride = size[1] * size[2]
    have = np.bincount(key[query == code] - code * stride, minlength=stride)
    llm, repeat = np.unravel_index(int(np.argmin(have)), size[1:])
    names = rows.texts["llm"].texts
    cell = f"query {rows.texts['query_id'].texts[code]!r}, LLM {names[llm]!r}" + (
        f", repeat {repeat}" if size[2] > 1 else ""
    )
    row = rows.where(int(np.argmax(query == code)))
    return ValueError(
        f"{rows.path}, row {row}: expected every query with all {size[1]} LLMs, found no row for {cell}; {DROP}."
    )


def _nothing_left(rows: Rows, llms: Ints, size: tuple[int, int, int]) -> ValueError:
    counts = np.bincount(llms, minlength=size[1])
    rarest = int(np.argmin(counts))
    name = rows.texts["llm"].texts[rarest]
    return ValueError(
        f"{rows.path}: expected queries with all {size[1]} LLMs, found none; the rarest, LLM {name!r}, has "
        f"{counts[rarest]} rows for {size[0]} queries; --exclude-llm leaves an LLM out."
    )
