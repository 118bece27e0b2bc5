"""Recorded outcomes: deterministic, no GPU, no key, no network."""

from functools import cached_property

from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query
from llm_routing_env.tables.table import OutcomeTable


class TableBackend:
    """Looks outcomes up in an outcome table."""

    def __init__(self, table: OutcomeTable, scorer: str) -> None:
        """Serve `table`, with the accuracies of one of its scorers."""
        self.llm_names = table.llm_names
        self._table = table
        self._accuracy = table.accuracy(scorer)

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the recorded outcome of one query on one LLM."""
        cell = (self._index[query.query_id], llm, repeat)
        return Outcome(
            response=self._table.text("response", *cell) or "",
            prompt_tokens=int(self._table.integers("prompt_tokens")[cell]),
            completion_tokens=int(self._table.integers("completion_tokens")[cell]),
            cost_usd=float(self._table.cost_usd[cell]),
            latency_s=float(self._table.latency_s[cell]),
            accuracy=float(self._accuracy[cell]),
            error=self._table.text("error", *cell),
        )

    @cached_property
    def _index(self) -> dict[str, int]:
        return {query_id: index for index, query_id in enumerate(self._table.query_ids)}

    def close(self) -> None:
        """Do nothing: a table holds no connection."""
