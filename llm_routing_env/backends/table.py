"""Recorded outcomes: deterministic, no GPU, no key, no network."""

from collections.abc import Iterable
from functools import cached_property

from llm_routing_env.backends.base import Answers, Request
from llm_routing_env.rewards.reference_free import accuracies
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable


class TableBackend:
    """Looks outcomes up in an outcome table."""

    def __init__(self, table: OutcomeTable, scorer: str) -> None:
        """Serve `table`, with the accuracies of one of its scorers."""
        self.llm_names = table.llm_names
        self._table = table
        self._accuracy = accuracies(table, scorer)

    def ask_many(self, requests: Iterable[Request]) -> Answers:
        """Yield the recorded outcomes, in order; of a request without a repeat the first."""
        for number, request in enumerate(requests):
            yield number, self._look_up((self._index[request.query.query_id], request.llm, request.repeat or 0))

    def _look_up(self, cell: tuple[int, int, int]) -> Outcome:
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
