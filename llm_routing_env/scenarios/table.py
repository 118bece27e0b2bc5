"""Real drift: from a step on the outcomes are those of another table."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from typing import Any

import numpy as np

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.rewards.reference_free import REFERENCE_FREE, accuracies
from llm_routing_env.scenarios.event import OUTCOMES, Event
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable


@dataclass(frozen=True, kw_only=True)
class Table(Event):
    """Outcomes, responses and errors come from another table that has these queries, with the same repeats and LLMs.

    Attributes:
        table: A shipped table's name, or a path.
    """

    kind, rank = "table", OUTCOMES
    table: str

    def __post_init__(self) -> None:
        """Check the name's type."""
        super().__post_init__()
        if not isinstance(self.table, str):
            raise ValueError(f"table must be a name or a path, got {self.table!r:.60}")

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the other table's cells."""
        own, other = cells.tables[0], load_table(self.table)
        if cells.scorer not in (*other.scorers, *REFERENCE_FREE):
            raise unknown_name(f"scorer of {self.table}", cells.scorer, other.scorers)
        other = _of_queries(other, own, self.table)
        return Cells.of(other, cells.scorer, accuracies(other, cells.scorer))


@lru_cache(maxsize=4)  # every stage of another event asks again
def _of_queries(other: OutcomeTable, own: OutcomeTable, name: str) -> OutcomeTable:
    """Return what another table, asked for by a name, has of a table's queries.

    Raises:
        ValueError: It does not have them all, or differs otherwise.
    """
    places = {query_id: place for place, query_id in enumerate(other.query_ids)}
    chosen = np.array([places.get(query_id, -1) for query_id in own.query_ids])
    if len(other.query_ids) > len(chosen) and chosen[0] >= 0 and (np.diff(chosen) > 0).all():  # one half, to tune on
        other = other.resplit(chosen, own.is_train)
    for what, expected, found in _compared(own, other):
        if found != expected:
            difference = _difference(expected, found)
            raise ValueError(f"{name} must have the {what} of {own.name}, in their order: {difference}")
    return other


def _compared(own: OutcomeTable, other: OutcomeTable) -> Iterator[tuple[str, tuple[Any, ...], tuple[Any, ...]]]:
    """Yield what has to be the same, with what one table and the other have of it; prompts only if ids are."""
    yield "LLMs", tuple(own.llm_names), tuple(other.llm_names)
    yield "number of repeats", (own.n_repeats,), (other.n_repeats,)
    yield "queries", tuple(own.query_ids), tuple(other.query_ids)
    yield "contexts", _contexts(own), _contexts(other)
    yield "prompts", tuple(query.chat() for query in own.queries), tuple(query.chat() for query in other.queries)
    yield "measures", tuple(own.measures), tuple(other.measures)


def _contexts(table: OutcomeTable) -> tuple[str, ...]:
    return tuple(table.contexts[number] for number in table.query_contexts)


def _difference(expected: tuple[Any, ...], found: tuple[Any, ...]) -> str:
    """Return where they first differ, in words; they do."""
    pairs = zip_longest(expected, found, fillvalue="none")
    one, other = next(pair for pair in pairs if pair[0] != pair[1])
    return f"expected {one!r:.60}, got {other!r:.60}"
