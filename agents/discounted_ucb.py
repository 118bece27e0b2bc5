"""Discounted UCB (Garivier and Moulines 2011; Kocsis and Szepesvari 2006): UCB that forgets, for LLMs that change."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import by_session, per_arm
from llm_routing_env.agents.parts.confidence import upper_confidence
from llm_routing_env.agents.parts.distributions import Weights
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class DiscountedUCB(Agent):
    """Index: discounted mean + 2 sqrt(exploration ln n / n_arm), with discounted counts n_arm and their sum n.

    Attributes:
        counts: Discounted number of times each arm was asked, one per session and arm.
        sums: Discounted sum of its rewards, not rescaled, one per session and arm.
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
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(0 < discount < 1, "discount", "between 0 and 1", discount)
        self._require(exploration >= 0, "exploration", "at least 0", exploration)
        self.discount = discount
        self.exploration = exploration
        self.counts = per_arm(len(self._rows), task.n_actions, 0.0)
        self.sums = per_arm(len(self._rows), task.n_actions, 0.0)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        return by_session(self._indices()).greedy(allowed=allowed)

    def _indices(self) -> FloatArray:
        """Return the index of each arm, infinite where it has yet to be asked, one per session and arm."""
        sums, counts = self.sums.array, self.counts.array
        total = np.maximum(counts.sum(axis=1), 1.0)
        means = np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)
        return upper_confidence(self.reward_range.rescale(means), counts, 4 * self.exploration * np.log(total))

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.counts *= self.discount
        self.sums *= self.discount
        self.counts[action] += 1
        self.sums[action] += self.reward_range.clip(reward)
