"""What live LLMs answer where several may be asked each query: of each session the query that it is at."""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.live import LiveLLMs
from llm_routing_env.rewards.same_answers import same_answers
from llm_routing_env.tables.outcome import Outcome

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
NOT_ASKED = Outcome("", 0, 0, 0.0, 0.0, accuracy=0.0)


class LiveAnswers:
    """Asks go out when they are made, those of all sessions at the same time; what came of them is kept for the query.

    Attributes:
        true_accuracy: None: what is told is true.
        outcomes: Of each session and LLM, for the query that the session asked last, shape (sessions, LLMs).
    """

    true_accuracy: Floats | None = None

    def __init__(self, llms: LiveLLMs, n_sessions: int, *, votes: bool) -> None:
        """Ask nobody yet.

        Args:
            llms: Whom to ask.
            n_sessions: How many sessions.
            votes: Whether answers are compared.
        """
        self._llms, self._votes = llms, votes
        self._n_llms = len(llms.problem.task.llm_names)
        self._rows = np.arange(n_sessions)
        self.outcomes = np.full((n_sessions, self._n_llms), NOT_ASKED, dtype=object)

    @property
    def spent_usd(self) -> float:
        """US dollars spent so far, by all sessions."""
        return self._llms.spent_usd

    def ask(self, sessions: Ints, llms: Ints, places: Ints) -> Mask:
        """Ask, and return which asks the budget did not allow, shape (asks,).

        Args:
            sessions: Which sessions ask.
            llms: Whom each asks.
            places: Where its query is in its repeat: `cell // LLMs` of any of its cells.
        """
        if not len(sessions):
            return np.zeros(0, dtype=bool)
        table = self._llms.problem.table
        queries = places // table.n_repeats % table.n_queries
        asked = [(query, llm, True) for query, llm in zip(queries.tolist(), llms.tolist(), strict=True)]
        outcomes = self._llms.ask(asked)
        for session, llm, outcome in zip(sessions.tolist(), llms.tolist(), outcomes, strict=True):
            self.outcomes[session, llm] = outcome
        return np.array([self._llms.is_refused(outcome) for outcome in outcomes])

    def paid(self, cells: Ints) -> tuple[Floats, Floats]:
        """See `RecordedAnswers`; a cell says which LLM."""
        chosen = self.of(cells)
        return np.array([o.cost_usd for o in chosen]), np.array([o.latency_s for o in chosen])

    def right(self, cells: Ints) -> tuple[Floats, Mask]:
        """See `RecordedAnswers`."""
        chosen = self.of(cells)
        accuracy = np.array([o.accuracy for o in chosen], dtype=np.float64)
        return accuracy, np.array([o.error is not None for o in chosen])

    def numbers(self, sessions: Ints, places: Ints) -> Ints | None:
        """See `RecordedAnswers`; who was not asked yet has an answer to an earlier query, or none."""
        if not self._votes:
            return None
        said = [["" if o.error is not None else o.response for o in row] for row in self.outcomes[sessions]]
        scorer, shape = self._llms.problem.scorer, (len(said), self._n_llms)
        return np.array([same_answers(responses, scorer) for responses in said], dtype=np.int64).reshape(shape)

    def of(self, cells: Ints) -> list[Outcome]:
        """Return the outcome of one cell per session."""
        return list(self.outcomes[self._rows, cells % self._n_llms])

    def close(self) -> None:
        """Release the backend's connections and the journal; may be called twice."""
        self._llms.close()
