"""A column's cells as numbers."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_routing_env.importing.columns import ABSENT_WORDS, Column
from llm_routing_env.importing.scores import Floats, ScoreScale
from llm_routing_env.importing.sources import Cells, Ints

Words = Mapping[str, float]
_MOST_COUNTED, _LARGEST = 1e12, 1e30  # beyond which no sum of them is a number any more


def read_numbers(column: Column, cells: Cells, rows: Ints, factor: float = 1.0, *, is_count: bool = False) -> Floats:
    """Return cells as floats of 0 or more, NaN where a cell is empty.

    Args:
        column: What the cells are of, for messages.
        cells: Of one batch.
        rows: Where in the file each is from.
        factor: They are multiplied by it.
        is_count: Whether they must be whole.
    """
    found = _floats(column, cells, rows, None)
    bad = ~np.isnan(found) & ~((found >= 0) & (found <= (_MOST_COUNTED if is_count else _LARGEST)))
    if is_count:
        bad |= ~np.isnan(found) & (found != np.floor(found))
    if bad.any():
        place = int(np.argmax(bad))
        expected = f"a whole number from 0 to {_MOST_COUNTED:.0f}" if is_count else "a finite number, 0 or more"
        raise column.refusal(rows[place], expected, float(found[place]))
    return found * factor if factor != 1.0 else found


def read_scores(column: Column, cells: Cells, rows: Ints, scale: ScoreScale) -> Floats:
    """Return cells as accuracies in [0, 1], NaN where a cell is empty."""
    found = _floats(column, cells, rows, scale.words)
    accuracies = scale.accuracies(found)
    bad = ~np.isnan(found) & ~((accuracies >= 0) & (accuracies <= 1))
    if bad.any():
        place = int(np.argmax(bad))
        expected = f"a number in [{scale.lowest:g}, {scale.highest:g}]"
        fix = "--score-range LOW,HIGH says what 0 and 1 stand for, and --clip takes what is beyond as the nearer"
        raise column.refusal(rows[place], expected, float(found[place]), fix)
    return accuracies


def _floats(column: Column, cells: Cells, rows: Ints, words: "Words | None") -> Floats:
    if isinstance(cells, pa.Array):
        kind = cells.type
        if words is None and pa.types.is_boolean(kind):
            raise column.refusal(rows[0], "a number", cells[0].as_py())
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
            cast = column.cast(cells, pa.float64(), rows, "a number")
            return np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64)
        try:
            filled = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
            return np.asarray(filled.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
        except pa.ArrowException:  # a word among them
            cells = cells.to_pylist()
    try:
        return np.array([_number(cell, words) for cell in cells], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise _refusal(column, cells, rows, words) from None


def _number(cell: Any, words: "Words | None") -> float:
    """Return a cell as a number; words and booleans only where scores may be words."""
    if isinstance(cell, bool) and words is None:
        raise TypeError
    if isinstance(cell, str):
        cell = cell.strip().lower()
        if words and cell in words:
            return float(words[cell])
        if cell in ABSENT_WORDS:
            return math.nan
        if words is not None and cell in ("true", "false"):
            return float(cell == "true")
        if "_" in cell:
            raise ValueError(cell)  # Python's own spelling of numbers, not other people's
    return math.nan if cell is None else float(cell)


def _refusal(column: Column, cells: Any, rows: Ints, words: "Words | None") -> ValueError:
    for row, cell in zip(rows, cells, strict=True):
        try:
            _number(cell, words)
        except (TypeError, ValueError, OverflowError):
            return column.refusal(row, "a number", cell, _word_fix(column, cells, words))
    raise AssertionError


def _word_fix(column: Column, cells: Any, words: "Words | None") -> str:
    """Return what to do about words among scores."""
    said = {cell.strip() for cell in cells if isinstance(cell, str)} - set(words or ())
    found = sorted(word for word in said if not any(letter.isdigit() for letter in word))[:4]
    if column.flag != "--accuracy-column" or not found:
        return ""
    example = ",".join(f"{word}={number}" for word, number in zip(found, (1, 0, 0.5, 0.25), strict=False))
    other = column.fix or f"{column.flag} names another column"
    return f"--score-map WORD=NUMBER,... such as {example} says what words are worth, or {other}"
