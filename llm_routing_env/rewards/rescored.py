"""Recorded accuracies against those of the stored responses: what a scorer says today."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from llm_routing_env.rewards.scorers import SCORERS
from llm_routing_env.tables import arrow
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]
TEXTS = ("response", "references", "error")
TOLERANCE = 1e-6
LISTED = 5  # rows that differ


@dataclass
class Differences:
    """Rows whose recorded number is not the computed one.

    Attributes:
        n_checked: Rows of which both are known.
        n_differing: Those that differ.
        first: The first few of them, with query, LLM, repeat and both numbers.
    """

    n_checked: int = 0
    n_differing: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)

    def add(self, rows: pa.Table, recorded: Floats, computed: Floats, differs: NDArray[np.bool_]) -> None:
        """Count a batch; numbers that are NaN are not known."""
        known = ~np.isnan(recorded) & ~np.isnan(computed)
        self.n_checked += int(known.sum())
        found = np.flatnonzero(known & differs)
        self.n_differing += len(found)
        for row in found[: LISTED - len(self.first)].tolist():
            cell = {name: rows[name][row].as_py() for name in ("query_id", "llm", "repeat")}
            self.first.append(cell | {"recorded": float(recorded[row]), "computed": float(computed[row])})


class Rescored:
    """One recorded scorer, computed again batch by batch.

    Attributes:
        name: The scorer's.
        reason: Why it cannot be computed here; "" where it can.
        differences: What was found.
    """

    def __init__(self, table: OutcomeTable, name: str) -> None:
        """Find out whether the scorer can be had, and has what it scores."""
        self.name, self.reason, self.differences = name, _obstacle(table, name), Differences()

    @property
    def column(self) -> str:
        """The table's column of its scores."""
        return f"accuracy_{self.name}"

    def add(self, rows: pa.Table, pairs: list[tuple[str, tuple[str, ...]]]) -> Floats:
        """Score a batch and compare it with what was recorded; return the scores, the recorded ones if it cannot.

        Args:
            rows: With `TEXTS`, the labels and the scorer's column.
            pairs: Each row's response and references.
        """
        recorded = arrow.numbers(rows[self.column])
        if self.reason:
            return recorded
        each = list(dict.fromkeys(pairs))  # repeats mostly say the same again
        scores = SCORERS[self.name]([response for response, _ in each], [references for _, references in each])
        by_pair = dict(zip(each, scores.tolist(), strict=True))
        computed = np.array([by_pair[pair] for pair in pairs])
        computed[~arrow.is_null(rows["error"])] = 0.0
        self.differences.add(rows, recorded, computed, np.abs(recorded - computed) > TOLERANCE)
        return computed


def answered(rows: pa.Table) -> list[tuple[str, tuple[str, ...]]]:
    """Return each row's response and references."""
    responses = (response or "" for response in rows["response"].to_pylist())
    return list(zip(responses, map(tuple, rows["references"].to_pylist()), strict=True))


def _obstacle(table: OutcomeTable, name: str) -> str:
    if name not in SCORERS:
        return "the table names a model for it, which is not loaded on its word" if ":" in name else "no scorer here"
    if not table.n_references.any():
        return "the table has no references"
    if all(not any(rows["response"].to_pylist()) for rows in table.batches(["response"])):
        return "the table has no responses"
    try:
        SCORERS[name](["a"], [("a",)])
    except (ImportError, OSError) as error:  # no embeddings here, or no model for them
        return " ".join(str(error).split())
    return ""
