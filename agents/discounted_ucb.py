"""Discounted UCB (Garivier and Moulines 2011; Kocsis and Szepesvari 2006): UCB that forgets, for LLMs that change."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.index_policy import IndexPolicy, upper_confidence
from llm_routing_env.agents.parts.state import FloatArray, IntArray, Outcomes, by_cell, cells, per_arm, plain
from llm_routing_env.agents.parts.task import RoutingTask


class DiscountedUCB(IndexPolicy):
    """Index: discounted mean + 2 sqrt(exploration ln n / n_arm), with discounted counts n_arm and their sum n.

    Attributes:
        counts: Discounted number of times each arm was asked, shape (sessions, arms).
        sums: Discounted sum of its rewards, not rescaled, shape (sessions, arms).
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        discount: float = 0.9995,
        exploration: float = 0.02,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start with every arm untried.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            discount: Weight that a query keeps from one to the next; best near 1 - sqrt(changes / T) / 4.
            exploration: xi; 0.6 is the authors'.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed, normaliser=normaliser)
        self._require(0 < discount < 1, "discount", "between 0 and 1", discount)
        self._require(exploration >= 0, "exploration", "at least 0", exploration)
        self.discount = discount
        self.exploration = exploration
        self.counts = per_arm(len(self._rows), task.n_actions, 0.0)
        self.sums = per_arm(len(self._rows), task.n_actions, 0.0)

    def _indices(self) -> FloatArray:
        total = np.maximum(self.counts.sum(axis=1, keepdims=True), 1.0)
        means = np.divide(self.sums, self.counts, out=np.zeros_like(self.sums), where=self.counts > 0)
        return upper_confidence(self.reward_range.rescale(means), self.counts, 4 * self.exploration * np.log(total))

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.counts *= self.discount
        self.sums *= self.discount
        cell, earned = plain(cells(self._rows, action), self.reward_range.clip(reward))
        by_cell(self.counts)[cell] += 1
        by_cell(self.sums)[cell] += earned
