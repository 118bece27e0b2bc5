"""Live outcomes with an accuracy: what the LLM said, scored against the query's references."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from llm_routing_env.backends.base import LiveBackend, Request
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query


class ScoredBackend:
    """Asks another backend and fills in the accuracy; a failed call has accuracy 0."""

    def __init__(self, backend: LiveBackend, scorer: str) -> None:
        """Score what `backend` returns with the scorer of this name."""
        from llm_routing_env.rewards.scorers import get_scorer  # recorded sessions need none, and start sooner without

        self.llm_names = backend.llm_names
        self._backend = backend
        self._score = get_scorer(scorer)

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the scored outcome of one query on one LLM."""
        return self._scored([self._backend.ask(query, llm, repeat)], [query])[0]

    def ask_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return the scored outcomes of queries that are asked at the same time, in the order of the requests."""
        answers = dict(self._backend.ask_many(requests))
        return self._scored([answers[number] for number in range(len(requests))], [each.query for each in requests])

    def close(self) -> None:
        """Close the other backend."""
        self._backend.close()

    def _scored(self, outcomes: Sequence[Outcome], queries: Sequence[Query]) -> list[Outcome]:
        good = [number for number, outcome in enumerate(outcomes) if outcome.error is None]
        accuracies = np.zeros(len(outcomes))
        if good:
            references = [queries[number].references for number in good]
            accuracies[good] = self._score([outcomes[number].response for number in good], references)
        return [replace(outcome, accuracy=float(value)) for outcome, value in zip(outcomes, accuracies, strict=True)]
