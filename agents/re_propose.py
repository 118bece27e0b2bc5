"""Re-propose: asks the LLM that a router proposes, checks its answer, and asks the next one where that looks wrong.

ReAd (Zhang et al. 2024, arXiv 2405.14314): a planner proposes, a critic checks, and where the advantage is not above a
threshold it is to propose again.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.cascade import agreement, pair_features
from llm_routing_env.agents.parts.ask_view import AskView
from llm_routing_env.agents.parts.asking_agent import AskingAgent, fitted_left_out
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.linear_model import ridge_regression, with_intercept
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask

_N_THRESHOLDS = 20
_RIDGE = 1.0  # of six coefficients per pair


class RePropose(AskingAgent):
    """Asks the LLM whose one call is expected to earn most; below tau the next best one; accepts the likeliest answer.

    How likely an answer is right is what a linear model says of the query, as long as it is the only one; then also
    whether the others agree, see `cascade`. Of several answers the likeliest is accepted, and of equal ones that of the
    LLM that was proposed first.

    Kept of ReAd: proposals in the order of a critic's advantage, a check of each, and that the next is asked for only
    where the check fails. Ours: what is checked is the answer, with the query and who agrees; tau is what earns most on
    the training queries, by models that have not seen them. What does not transfer is the joint plan of several agents,
    of which each has an advantage of its own: a query has one decision.

    Attributes:
        values: Of what one call to each LLM earns, the intercepts as first row, shape (1 + query's size, LLMs).
        scores: Of each pair, what accuracies and agreement say of the second's answer, shape (LLMs, LLMs, 6).
        threshold: Tau, shape ().
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        tau: float | None = None,
        max_asks: int = 2,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            tau: The probability from which on an answer is accepted; 0: the first always. None: what earns most.
            max_asks: Most LLMs of a query.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_chance = tau is None or 0 <= tau <= 1
        self._require(is_chance, "tau", "None, or a probability from 0 to 1", tau)
        is_count = isinstance(max_asks, int) and not isinstance(max_asks, bool) and max_asks >= 1
        self._require(is_count, "max_asks", "a whole number, 1 or more", max_asks)
        self.tau = tau
        self.max_asks = max_asks
        self.values = np.zeros_like(self.coefficients)
        self.scores = np.zeros((self._n_llms, self._n_llms, 6))
        self.threshold = np.zeros(())

    def _fit(self, training_table: AskingTable) -> None:  # type: ignore[override]  # see AskingAgent.fit
        table, right = training_table, self._fit_accuracies(training_table)
        worth, agree = self._fit_values(table), agreement(table.answers)
        self.scores = np.zeros_like(self.scores)
        for first, second in np.argwhere(~np.eye(self._n_llms, dtype=bool)):
            seen = pair_features(right[:, [first, second]], agree[:, first, second])
            weights = table.weights * len(seen)
            fitted = ridge_regression(seen, table.accuracy[:, second, None], _RIDGE, weights)
            self.scores[first, second] = fitted[:, 0]
        if self.tau is not None:
            self.threshold = np.array(float(self.tau))
            return
        of_first = right[np.arange(len(right)), worth.argmax(axis=1)]
        quantiles = np.quantile(of_first, np.linspace(0, 1, _N_THRESHOLDS + 1))
        tried = np.unique([0.0, *quantiles, 1.0])
        earned = []
        for tau in tried:
            asked, accepted = self._proposed(table.answers, right, worth, float(tau))
            earned.append(table.weights @ self._worth(table, asked, accepted))
        self.threshold = np.array(tried[int(np.argmax(earned))])  # of equal ones the lowest: the fewest asks

    def _fit_values(self, table: AskingTable) -> FloatArray:
        """Fit what one call earns; return it of every row, fitted without its query, shape (rows, LLMs)."""
        every, n_rows = np.eye(self._n_llms, dtype=bool), len(table.weights)
        alone = [self._worth(table, np.tile(every[m], (n_rows, 1)), np.full(n_rows, m)) for m in range(self._n_llms)]
        worth, rows = np.stack(alone, axis=1), np.arange(n_rows)
        self.values, left_out = fitted_left_out(
            table, worth, lambda predicted: float(table.weights @ worth[rows, predicted.argmax(axis=1)])
        )
        return left_out

    def _ask(self, view: AskView) -> IntArray:
        right, worth = self._accuracies(view.query), with_intercept(view.query) @ self.values
        answers = np.where(view.group > 0, view.group, -1)
        following, accepted = self._next(answers, right, worth, view.order > 0, float(self.threshold))
        return np.where(following >= 0, following, accepted)

    def _next(
        self, answers: IntArray, right: FloatArray, worth: FloatArray, asked: BoolArray, tau: float
    ) -> tuple[IntArray, IntArray]:
        """Return whom to ask next, -1 where an answer is accepted, and whose answer that would be, both (rows,).

        Args:
            answers: Number of each LLM's answer, below 0: none, or not asked; shape (rows, LLMs).
            right: How probably each LLM is right by the query alone; the same shape.
            worth: What one call to each is expected to earn; the same shape.
            asked: Who was asked; the same shape.
            tau: The probability from which on an answer is accepted.
        """
        likely = self._likely(answers, right, asked)
        proposals = np.argsort(np.argsort(-worth, axis=1, kind="stable"), axis=1, kind="stable")
        best = np.where(asked, likely, -1.0).max(axis=1, keepdims=True)
        likeliest = np.where(asked & (likely >= best - 1e-12), proposals, self._n_llms).argmin(axis=1)
        rows = np.arange(len(answers))
        gave_it = agreement(answers)[rows, likeliest]
        gave_it[rows, likeliest] = True
        accepted = np.where(asked & gave_it, proposals, self._n_llms).argmin(axis=1)
        following = np.where(asked, self._n_llms, proposals).argmin(axis=1)
        n_asked = asked.sum(axis=1)
        accepts = (n_asked > 0) & ((best[:, 0] >= tau) | (n_asked >= min(self.max_asks, self._n_llms)))
        return np.where(accepts, -1, following), accepted

    def _likely(self, answers: IntArray, right: FloatArray, asked: BoolArray) -> FloatArray:
        """Return how probably each answer is right, by the query and who agrees; shape (rows, LLMs)."""
        same, speaks = agreement(answers), (answers >= 0).astype(np.float64)
        constant, own, both = self.scores[..., 0], self.scores[..., 1:3], self.scores[..., 4:6]
        # The linear score of `pair_features` for all pairs at once: first LLM, second LLM.
        pairs = constant + self.scores[..., 3] * same
        for place, chances in enumerate((right[:, :, None], right[:, None, :])):
            pairs = pairs + (own[..., place] + both[..., place] * same) * chances
        others = asked[:, :, None] & ~np.eye(self._n_llms, dtype=bool)
        counts = others.sum(axis=1)
        of_others = (pairs * others).sum(axis=1) / np.maximum(counts, 1)
        return np.where(counts > 0, of_others, right) * speaks

    def _proposed(
        self, answers: IntArray, right: FloatArray, worth: FloatArray, tau: float
    ) -> tuple[BoolArray, IntArray]:
        """Return who is asked, shape (rows, LLMs), and whose answer is accepted, shape (rows,), in the end."""
        asked, rows = np.zeros(answers.shape, dtype=bool), np.arange(len(answers))
        while True:
            following, accepted = self._next(np.where(asked, answers, -1), right, worth, asked, tau)
            if (following < 0).all():
                return asked, accepted
            open_rows = rows[following >= 0]
            asked[open_rows, following[open_rows]] = True
