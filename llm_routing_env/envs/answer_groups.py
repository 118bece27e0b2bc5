"""Which LLMs answer a query alike, read from their responses when the query is first asked."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.same_answers import NO_ANSWER, same_answers
from llm_routing_env.tables.cells import by_cell
from llm_routing_env.tables.table import OutcomeTable

Ints = NDArray[np.int64]
_NOT_READ = NO_ANSWER - 1


class AnswerGroups:
    """For each place, a query in a phase with a repeat, and LLM the number of its answer; see `same_answers`."""

    def __init__(self, problem: RoutingProblem) -> None:
        """Read nothing yet.

        Raises:
            ValueError: If the table has no responses.
        """
        cells = problem.cells
        for table in dict.fromkeys(cells.tables):
            if not any(response for response in _responses(table).flat):
                raise ValueError(
                    f"The table {table.name} has no responses, and a vote compares answers: import it with the column "
                    "of the responses, or ask one LLM per query, max_asks=1."
                )
        self._tables, self._n_queries, self._n_repeats = cells.tables, problem.table.n_queries, problem.table.n_repeats
        self._scorer, n_llms = problem.scorer, problem.table.n_llms
        self._failed = by_cell(cells.failed).reshape(-1, n_llms)
        self._numbers = np.full(self._failed.shape, _NOT_READ, dtype=np.int64)

    def of(self, places: Ints) -> Ints:
        """Return the numbers of all LLMs at some places, shape (places, LLMs); `NO_ANSWER` where there is none."""
        numbers = self._numbers.take(places, axis=0)
        unread = numbers[:, 0] == _NOT_READ
        if unread.any():
            for place in np.unique(places[unread]).tolist():
                self._read(place)
            numbers = self._numbers.take(places, axis=0)
        return numbers

    def _read(self, place: int) -> None:
        row, repeat = divmod(place, self._n_repeats)
        phase, query = divmod(row, self._n_queries)
        said = zip(_responses(self._tables[phase])[query, :, repeat], self._failed[place], strict=True)
        responses = ["" if is_failed else text or "" for text, is_failed in said]
        self._numbers[place] = same_answers(responses, self._scorer)


@lru_cache(maxsize=4)
def _responses(table: OutcomeTable) -> NDArray[np.object_]:
    return table.texts("response")
