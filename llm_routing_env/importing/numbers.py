"""A column's cells as numbers."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_routing_env.importing.columns import ABSENT_WORDS, Column
from llm_routing_env.importing.scores import ScoreScale
from llm_routing_env.importing.sources import Cells, Ints

Floats = NDArray[np.float64]


def read_numbers(column: Column, cells: Cells, rows: Ints, factor: float = 1.0) -> Floats:
    """Return cells as floats of 0 or more, NaN where a cell is empty.

    Args:
        column: What the cells are of, for messages.
        cells: Of one batch.
        rows: Where in the file each is from.
        factor: They are multiplied by it.
    """
    found = _floats(column, cells, rows, {})
    bad = ~np.isnan(found) & ~(np.isfinite(found) & (found >= 0))
    if bad.any():
        place = int(np.argmax(bad))
        raise column.refusal(rows[place], "a finite number, 0 or more", float(found[place]))
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


def _floats(column: Column, cells: Cells, rows: Ints, words: "Mapping[str, float]") -> Floats:
    if isinstance(cells, pa.Array):
        kind = cells.type
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


def _number(cell: Any, words: "Mapping[str, float]") -> float:
    if isinstance(cell, str):
        cell = cell.strip().lower()
        if cell in words:
            return float(words[cell])
        if cell in ABSENT_WORDS:
            return math.nan
        if cell in ("true", "false"):
            return float(cell == "true")
        if "_" in cell:
            raise ValueError(cell)  # Python's own spelling of numbers, not other people's
    return math.nan if cell is None else float(cell)


def _refusal(column: Column, cells: Any, rows: Ints, words: "Mapping[str, float]") -> ValueError:
    for row, cell in zip(rows, cells, strict=True):
        try:
            _number(cell, words)
        except (TypeError, ValueError, OverflowError):
            return column.refusal(row, "a number", cell, _word_fix(column, cells, words))
    raise AssertionError


def _word_fix(column: Column, cells: Any, words: "Mapping[str, float]") -> str:
    """Return what to do about words among scores."""
    said = {cell.strip() for cell in cells if isinstance(cell, str)} - set(words)
    found = sorted(word for word in said if not any(letter.isdigit() for letter in word))[:4]
    if column.flag != "--accuracy-column" or not found:
        return ""
    example = ",".join(f"{word}={number}" for word, number in zip(found, (1, 0, 0.5, 0.25), strict=False))
    other = column.fix or f"{column.flag} names another column"
    return f"--score-map WORD=NUMBER,... such as {example} says what words are worth, or {other}"
