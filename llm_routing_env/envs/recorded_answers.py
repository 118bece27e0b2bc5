"""What recorded LLMs answer where several may be asked each query."""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.answer_groups import AnswerGroups
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.tables.cells import by_cell

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class RecordedAnswers:
    """Outcomes and answers of a table, by cell; see `LiveAnswers` for the methods, where they say more.

    Attributes:
        true_accuracy: Of every cell where what is told differs from it, else None.
    """

    def __init__(self, problem: RoutingProblem, *, votes: bool) -> None:
        """Lay the table out.

        Args:
            problem: What is routed.
            votes: Whether answers are compared, which needs responses.
        """
        cells, told, self._n_llms = problem.cells, problem.cells.as_told, problem.table.n_llms
        self._cost_usd, self._latency_s = by_cell(cells.cost_usd), by_cell(cells.latency_s)
        self._accuracy, self._failed = by_cell(told.accuracy), by_cell(cells.failed)
        self.true_accuracy = None if told is cells else by_cell(cells.accuracy)
        self._groups = AnswerGroups(problem) if votes else None

    def ask(self, sessions: Ints, llms: Ints, places: Ints) -> Mask:
        """Return which asks are refused: none, for everything is known."""
        return np.zeros(len(sessions), dtype=bool)

    def paid(self, cells: Ints) -> tuple[Floats, Floats]:
        """Return the cost and the latency of one cell per session."""
        return self._cost_usd[cells], self._latency_s[cells]

    def right(self, cells: Ints) -> tuple[Floats, Mask]:
        """Return the accuracy of one cell per session as it is told, and whether its call failed."""
        return self._accuracy[cells], self._failed[cells]

    def numbers(self, sessions: Ints, places: Ints) -> Ints | None:
        """Return the number of each LLM's answer, shape (asks, LLMs); None where answers are not compared."""
        return None if self._groups is None else self._groups.of(places)
