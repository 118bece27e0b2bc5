"""Agents that ask some LLMs and accept the answer that a score without references puts highest."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.ask_view import AskView
from llm_routing_env.agents.parts.asking_agent import AskingAgent
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.state import FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask


class BestScored(AskingAgent):
    """Asks the LLMs of the highest mean score, best first, and accepts the answer of the highest score.

    It looks at no accuracy and at no reward. A subclass shows one measure, and gives `_n_asks`, how many LLMs are asked
    about every query.

    Attributes:
        order: All LLMs, by falling mean score on the training queries, shape (LLMs,); a failed call has the lowest.
    """

    def __init__(self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None) -> None:
        """Start without an order.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._n_asks = self._n_llms
        self.order = np.arange(self._n_llms)

    def _fit(self, training_table: AskingTable) -> None:  # type: ignore[override]  # see AskingAgent.fit
        (name,) = self._measures
        scores = np.where(training_table.failed, -1.0, training_table.measures[name])  # the worst there is
        counts = ~np.isnan(scores) * training_table.weights[:, None]
        means = (np.nan_to_num(scores) * counts).sum(axis=0) / np.maximum(counts.sum(axis=0), np.finfo(float).tiny)
        means[~counts.any(axis=0)] = -np.inf
        self.order = np.argsort(-means, kind="stable")

    def _ask(self, view: AskView) -> IntArray:
        chain = self.order[: self._n_asks]
        is_open = view.order[:, chain] == 0
        (scores,) = view.measures.values()
        return np.where(is_open.any(axis=1), chain[is_open.argmax(axis=1)], best_scored(scores, view))


def best_scored(scores: FloatArray, view: AskView) -> IntArray:
    """Return the asked LLM of the highest score, shape (sessions,).

    Where no score is known it is the first that was asked and answered, or the first that was asked.

    Args:
        scores: NaN where not known, shape (sessions, LLMs).
        view: Who was asked, and answered.
    """
    is_known = ~np.isnan(scores)
    earliest = (view.group > 0) - view.order / (view.order.shape[1] + 1.0)
    earliest = np.where(view.order > 0, earliest, -np.inf)
    ranked = np.where(is_known.any(axis=1, keepdims=True), np.where(is_known, scores, -np.inf), earliest)
    best: IntArray = ranked.argmax(axis=1)
    return best
