"""The numbers of every cell, in one order: ((phase * queries + query) * repeats + repeat) * LLMs + LLM."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Cells:
    """What calls give in one phase of a session, or in several, one after the other along the first axis.

    A row is a query in a phase, `phase * queries + query`; arrays have the shape (rows, LLMs, repeats).

    Attributes:
        accuracy: In [0, 1], by one scorer; 0 for a failed call.
        cost_usd: In US dollars.
        latency_s: In seconds.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        failed: Whether the call ended in an error.
        measures: Further measures, by name.
        available: Whether an LLM can be asked, shape (rows, LLMs).
        scorer: Whose accuracy it is.
        tables: The table whose responses and errors are given, one per phase.
        told: The accuracy that agents are told, where it is not the true one; None: it is.
    """

    accuracy: Floats
    cost_usd: Floats
    latency_s: Floats
    prompt_tokens: Ints
    completion_tokens: Ints
    failed: Mask
    measures: Mapping[str, Floats]
    available: Mask
    scorer: str
    tables: tuple[OutcomeTable, ...]
    told: Floats | None = None

    @classmethod
    def of(cls, table: OutcomeTable, scorer: str, accuracy: Floats | None = None) -> "Cells":
        """Return a table's cells, of one phase; the arrays are the table's own.

        Args:
            table: The table.
            scorer: Whose accuracy it is.
            accuracy: What it says of the table; None: what was recorded.
        """
        scores = table.accuracy(scorer) if accuracy is None else accuracy
        return cls(
            accuracy=np.where(table.failed, 0.0, scores) if table.failed.any() else scores,
            cost_usd=table.cost_usd,
            latency_s=table.latency_s,
            prompt_tokens=table.integers("prompt_tokens"),
            completion_tokens=table.integers("completion_tokens"),
            failed=table.failed,
            measures=table.measures,
            available=table.present,
            scorer=scorer,
            tables=(table,),
        )

    @classmethod
    def stack(cls, phases: Sequence["Cells"]) -> "Cells":
        """Return the cells of several phases, in their order."""
        if len(phases) == 1:
            return phases[0]
        arrays: dict[str, Any] = {
            field.name: np.concatenate([getattr(phase, field.name) for phase in phases])
            for field in fields(cls)
            if field.name not in ("measures", "scorer", "tables", "told")
        }
        is_told = any(phase.told is not None for phase in phases)
        return cls(
            **arrays,
            measures={name: np.concatenate([p.measures[name] for p in phases]) for name in phases[0].measures},
            scorer=phases[0].scorer,
            tables=tuple(table for phase in phases for table in phase.tables),
            told=np.concatenate([phase.as_told.accuracy for phase in phases]) if is_told else None,
        )

    @property
    def as_told(self) -> "Cells":
        """The same cells with the accuracy that agents are told."""
        return self if self.told is None else replace(self, accuracy=self.told, told=None)

    def number(self, rows: Ints, repeats: Ints) -> Ints:
        """Return the cell of the first LLM; that of LLM a lies a further."""
        _, n_llms, n_repeats = self.accuracy.shape
        return np.asarray((rows * n_repeats + repeats) * n_llms)

    def index(self, cell: int) -> tuple[int, int, int]:
        """Return row, LLM and repeat of a cell: where the arrays hold it."""
        _, n_llms, n_repeats = self.accuracy.shape
        first, llm = divmod(cell, n_llms)
        row, repeat = divmod(first, n_repeats)
        return row, llm, repeat


def by_cell(values: NDArray[Any]) -> NDArray[Any]:
    """Return values of shape (rows, LLMs, repeats) by cell number."""
    return values.swapaxes(1, 2).ravel()
