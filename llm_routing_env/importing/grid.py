"""Which imported rows make a grid of (query, LLM, repeat), which of its pairs are missing, and what is wrong."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.importing.rows import Rows

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
NUMBERS = ("accuracy", "cost_usd", "latency_s")
_OF_THE_QUERY = ("context", "split", "prompt", "messages", "references")


@dataclass(frozen=True)
class ImportGrid:
    """The rows to keep; a pair of query and LLM is kept with all its repeats, or missing.

    Attributes:
        order: File rows by rising cell number.
        cells: Their cell numbers, ((query * LLMs) + LLM) * repeats + repeat.
        shape: Queries, LLMs, repeats.
        n_dropped: Queries left out.
        n_partial: Pairs that count as missing although they have rows: a number is empty or a repeat lacking.
    """

    order: Ints
    cells: Ints
    shape: tuple[int, int, int]
    n_dropped: int
    n_partial: int


def make_import_grid(rows: Rows, *, drop_incomplete: bool) -> ImportGrid:
    """Return the rows of the pairs that are whole, in order.

    Args:
        rows: The file's.
        drop_incomplete: Leave out every query that lacks an LLM, not only those that lack all.

    Raises:
        ValueError: For a duplicate row; a query whose rows contradict each other; an LLM without a whole pair; a log,
            that is one LLM per query; or if nothing is left. Names file, row, query, LLM, and the flag that helps.
    """
    query, llm = (rows.texts[role].codes.astype(np.int64) for role in ("query_id", "llm"))
    repeat = _repeats(rows, len(query))
    shape = (int(query.max()) + 1, int(llm.max()) + 1, int(repeat.max()) + 1)
    pair = query * shape[1] + llm
    order = np.lexsort((repeat, pair))
    _check_unique(rows, pair, repeat, order)
    _check_agreement(rows, query)
    pairs, of_row = np.unique(pair, return_inverse=True)
    is_whole = np.bincount(of_row[_has_numbers(rows, len(query))], minlength=len(pairs)) == shape[2]
    n_llms = np.bincount(pairs[is_whole] // shape[1], minlength=shape[0])
    _check_llms(rows, pairs[is_whole] % shape[1], n_llms, shape)
    is_kept = n_llms == shape[1] if drop_incomplete else n_llms > 0
    if not is_kept.any():
        raise _nothing_left(rows, pairs[is_whole] % shape[1], shape)
    order = order[(is_whole[of_row] & is_kept[query])[order]]
    place = np.cumsum(is_kept) - 1
    cells = (place[query[order]] * shape[1] + llm[order]) * shape[2] + repeat[order]
    kept = int(is_kept.sum())
    return ImportGrid(order, cells, (kept, *shape[1:]), shape[0] - kept, int((~is_whole).sum()))


def _repeats(rows: Rows, n_rows: int) -> Ints:
    values = rows.array("repeat")
    if values is None:
        return np.zeros(n_rows, dtype=np.int64)
    bad = np.isnan(values) | (values != np.floor(values)) | (values >= n_rows)
    if bad.any():
        row = int(np.argmax(bad))
        raise rows.refusal("repeat", row, "a whole number that counts from 0", values[row])
    return values.astype(np.int64)


def _check_unique(rows: Rows, pair: Ints, repeat: Ints, order: Ints) -> None:
    again = np.flatnonzero((np.diff(pair[order]) == 0) & (np.diff(repeat[order]) == 0))
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


def _has_numbers(rows: Rows, n_rows: int) -> Mask:
    """Return which rows have all their numbers; a column that is empty throughout counts as not recorded."""
    filled = np.ones(n_rows, dtype=bool)
    for role in NUMBERS:
        values = rows.array(role)
        if values is not None:
            filled &= ~np.isnan(values)
        elif role == "accuracy":
            raise rows.refusal(role, 0, "a score", None)
    return filled


def _check_llms(rows: Rows, llms: Ints, n_llms: Ints, shape: tuple[int, int, int]) -> None:
    """Check the LLMs of the whole pairs, and how many each query has: a log of one LLM per query is no table."""
    counts = np.bincount(llms, minlength=shape[1])
    if np.count_nonzero(counts) > 1 and n_llms.max() == 1:
        raise ValueError(
            f"{rows.path}: every query has the outcome of one LLM: this is a log, not a table. Logs are for "
            "`pickllm ope`, which is not in this version yet."
        )
    if not counts.all():
        name = rows.texts["llm"].texts[int(np.argmin(counts))]
        needed = ", ".join(role for role in NUMBERS if rows.array(role) is not None)
        repeats = f" and all {shape[2]} repeats" if shape[2] > 1 else ""
        raise ValueError(
            f"{rows.path}: expected queries with all numbers ({needed}){repeats} for LLM {name!r}, found none; "
            "--exclude-llm leaves an LLM out."
        )


def _nothing_left(rows: Rows, llms: Ints, shape: tuple[int, int, int]) -> ValueError:
    counts = np.bincount(llms, minlength=shape[1])
    rarest = int(np.argmin(counts))
    name = rows.texts["llm"].texts[rarest]
    return ValueError(
        f"{rows.path}: expected queries with all {shape[1]} LLMs, found none; the rarest, LLM {name!r}, has "
        f"{counts[rarest]} of {shape[0]} queries; --exclude-llm leaves an LLM out, and without --drop-incomplete "
        "incomplete queries are kept."
    )
