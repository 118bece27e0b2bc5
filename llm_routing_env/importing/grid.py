"""Which imported rows make a grid of (query, LLM, repeat), which of its pairs are missing, and what is wrong."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.importing.rows import Codes, Rows
from llm_routing_env.importing.sources import Ints

Mask = NDArray[np.bool_]
NUMBERS = ("accuracy", "cost_usd", "latency_s")
_OF_THE_QUERY = ("context", "split", "prompt", "messages", "references")


@dataclass(frozen=True)
class ImportGrid:
    """The rows to keep; a pair of query and LLM is kept with all its repeats, or missing.

    Attributes:
        is_kept: For each of the file's rows.
        cells: The cell number of each that is kept, ((query * LLMs) + LLM) * repeats + repeat.
        shape: Queries, LLMs, repeats.
        n_dropped: Queries left out.
        n_again: Rows left out because another is of the same query, LLM and repeat.
        n_partial: Pairs that count as missing although they have rows: a number is empty or a repeat lacking.
    """

    is_kept: Mask
    cells: Ints
    shape: tuple[int, int, int]
    n_dropped: int
    n_again: int
    n_partial: int


def make_import_grid(rows: Rows, *, drop_incomplete: bool) -> ImportGrid:
    """Return the rows of the pairs that are whole.

    Args:
        rows: The file's.
        drop_incomplete: Leave out every query that lacks an LLM, not only those that lack all.

    Raises:
        ValueError: For a duplicate row; a query whose rows contradict each other; an LLM without a whole pair; a log,
            that is one LLM per query; or if nothing is left. Names file, row, query, LLM, and the flag that helps.
    """
    query, llm = (rows.texts[role].codes for role in ("query_id", "llm"))
    n_queries, n_llms = int(query.max()) + 1, int(llm.max()) + 1
    number = _integers(n_queries * n_llms)  # half the memory, where that is enough
    pair = query * number(n_llms) + llm
    order, begins = _by_pair(rows, pair)
    n_again = rows.n_rows - len(begins)
    _check_agreement(rows, query)
    pairs, filled = pair[order][begins], _has_numbers(rows)[order]
    whole, n_repeats, pair_of_place = _whole(begins, filled, number)
    llms_of_query = np.bincount(pairs[whole] // n_llms, minlength=n_queries)
    shape = (n_queries, n_llms, n_repeats)
    _check_llms(rows, pairs[whole] % n_llms, llms_of_query, shape, share_whole=float(whole.mean()))
    query_is_kept = llms_of_query == n_llms if drop_incomplete else llms_of_query > 0
    if not query_is_kept.any():
        raise _nothing_left(rows, pairs[whole] % n_llms, shape)
    is_kept = np.zeros(rows.n_rows, dtype=bool)
    is_kept[order] = whole[pair_of_place]
    is_kept &= query_is_kept[query]
    cell = _integers(n_queries * n_llms * n_repeats)
    place = (np.cumsum(query_is_kept) - 1).astype(cell)
    cells = (place[query[is_kept]] * cell(n_llms) + llm[is_kept]) * cell(n_repeats)
    if n_repeats > 1:
        repeat = np.empty(rows.n_rows, dtype=cell)
        repeat[order] = np.arange(len(begins)) - np.flatnonzero(begins)[pair_of_place]
        cells += repeat[is_kept]
    n_kept = int(query_is_kept.sum())
    return ImportGrid(is_kept, cells, (n_kept, *shape[1:]), n_queries - n_kept, n_again, int((~whole).sum()))


def _whole(begins: Mask, filled: Mask, number: "type[np.int32] | type[np.int64]") -> tuple[Mask, int, Any]:
    """Return which pairs have all numbers of all repeats, how many repeats that is, and the pair of each place."""
    if begins.all():
        return filled, 1, slice(None)
    pair_of_place = np.append(number(0), np.cumsum(begins[1:], dtype=number))
    counts = np.bincount(pair_of_place)
    n_repeats = int(counts.max())
    whole = np.bincount(pair_of_place[filled], minlength=len(counts)) == n_repeats
    return whole, n_repeats, pair_of_place


def _integers(largest: int) -> "type[np.int32] | type[np.int64]":
    return np.int32 if largest < 2**31 else np.int64


def _by_pair(rows: Rows, pair: Ints) -> tuple[Ints | slice, Mask]:
    """Return the rows by pair of query and LLM, then by repeat, and where a pair begins; repeats may count anyhow."""
    if "repeat" not in rows.texts:
        is_sorted = bool((pair[1:] > pair[:-1]).all())
        order: Any = slice(None) if is_sorted else np.argsort(pair, kind="stable")
        ordered = pair[order]
        again = np.flatnonzero(ordered[1:] == ordered[:-1])
    else:
        repeat = _ranks(rows.texts["repeat"].texts)[rows.texts["repeat"].codes]
        order = np.lexsort((repeat, pair))
        ordered = pair[order]
        again = np.flatnonzero((ordered[1:] == ordered[:-1]) & (np.diff(repeat[order]) == 0))
    if len(again) and rows.keep is None:
        first, second = np.arange(rows.n_rows)[order][again[0] : again[0] + 2]
        raise _found_again(rows, first, second)
    if len(again):
        order = np.delete(order, again if rows.keep == "last" else again + 1)
        ordered = pair[order]
    return order, np.append(True, ordered[1:] != ordered[:-1])


def _ranks(texts: list[str]) -> Ints:
    """Return where each text stands among all, as numbers if they all are; the last is of empty cells."""
    try:
        keys: list[float | int] = [_exact(text) for text in texts]
    except ValueError:
        keys = list(range(len(texts)))
    ranks = {key: rank for rank, key in enumerate(sorted(set(keys)))}
    return np.array([*(ranks[key] for key in keys), -1])


def _exact(text: str) -> float | int:
    """Return a number; a seed of 64 bits is none that a float can hold."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _found_again(rows: Rows, first: np.int64, second: np.int64) -> ValueError:
    column = rows.names.get("repeat")
    has_repeats = f"the column {column!r} counts both alike" if column else "--repeat-column names what counts repeats"
    return ValueError(
        f"{rows.where(second)}: expected one row per query and LLM{' and repeat' if column else ''}, found "
        f"{rows.cell_name(second)} again (first in {rows.where(first, beside=second)}); --query-column names another "
        f"id, {has_repeats}, --keep last takes the later, or --where COLUMN=VALUE reads some rows only."
    )


def _check_agreement(rows: Rows, query: Codes) -> None:
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
            expected = f"{str(rows.text(role, start))!r:.60} as in {rows.where(start, beside=row)} of the same query"
            raise rows.refusal(role, row, expected, rows.text(role, row))


def _has_numbers(rows: Rows) -> Mask:
    """Return which rows have all their numbers; a column that is empty throughout counts as not recorded."""
    filled = np.ones(rows.n_rows, dtype=bool)
    for role in NUMBERS:
        values = rows.array(role)
        if values is not None:
            filled &= ~np.isnan(values)
        elif role == "accuracy":
            raise rows.refusal(role, 0, "a score", None)
    return filled


def _check_llms(rows: Rows, llms: Ints, n_llms: Ints, shape: tuple[int, int, int], *, share_whole: float) -> None:
    """Check the LLMs of the whole pairs, and how many each query has: a log of one LLM per query is no table."""
    counts = np.bincount(llms, minlength=shape[1])
    if np.count_nonzero(counts) > 1 and n_llms.max() == 1:
        raise ValueError(
            f"{rows.path}: every query has the outcome of one LLM: this is a log, not a table. "
            "`pickllm import-log` reads logs."
        )
    if not counts.all():
        name = rows.texts["llm"].texts[int(np.argmin(counts))]
        needed = ", ".join(role for role in NUMBERS if rows.array(role) is not None)
        repeats = f" and all {shape[2]} repeats, which {share_whole:.1%} of all pairs have," if shape[2] > 1 else ""
        raise ValueError(
            f"{rows.path}: expected queries with all numbers ({needed}){repeats} for LLM {name!r}, found none; "
            f"--exclude-llm leaves an LLM out{_hint(rows, int(np.argmin(counts)), shape[2])}."
        )


def _hint(rows: Rows, llm: int, n_repeats: int) -> str:
    """Return what else may help with an LLM that has no whole pair."""
    if n_repeats > 1:
        return ", --repeat-column - with --keep last reads one of each pair's rows"
    cost = rows.array("cost_usd")
    is_unknown = cost is not None and np.isnan(cost[rows.texts["llm"].codes == llm]).any()
    return ", --missing-cost USD says what its calls cost, and --cost-column - reads no costs" if is_unknown else ""


def _nothing_left(rows: Rows, llms: Ints, shape: tuple[int, int, int]) -> ValueError:
    counts = np.bincount(llms, minlength=shape[1])
    rarest = int(np.argmin(counts))
    name = rows.texts["llm"].texts[rarest]
    return ValueError(
        f"{rows.path}: expected queries with all {shape[1]} LLMs, found none; the rarest, LLM {name!r}, has "
        f"{counts[rarest]} of {shape[0]} queries; --exclude-llm leaves an LLM out, and without --drop-incomplete "
        "incomplete queries are kept."
    )
