"""Live outcomes with an accuracy: what the LLM said, scored against the query's references."""

from dataclasses import replace

from llm_routing_env.backends.base import Backend
from llm_routing_env.outcome import Outcome
from llm_routing_env.queries import Query
from llm_routing_env.scoring import get_scorer


class ScoredBackend:
    """Asks another backend and fills in the accuracy; a failed call has accuracy 0."""

    def __init__(self, backend: Backend, scorer: str) -> None:
        """Score what `backend` returns with the scorer of this name."""
        self.llm_names = backend.llm_names
        self._backend = backend
        self._score = get_scorer(scorer)

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the scored outcome of one query on one LLM."""
        outcome = self._backend.ask(query, llm, repeat)
        if outcome.error is not None:
            return replace(outcome, accuracy=0.0)
        return replace(outcome, accuracy=float(self._score([outcome.response], [query.references])[0]))

    def close(self) -> None:
        """Close the other backend."""
        self._backend.close()
