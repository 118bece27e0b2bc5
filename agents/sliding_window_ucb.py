"""Sliding-window UCB (Garivier and Moulines 2011): UCB on the last queries only, for LLMs that change."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import by_session, per_arm
from llm_routing_env.agents.parts.confidence import upper_confidence
from llm_routing_env.agents.parts.distributions import Weights
from llm_routing_env.agents.parts.memory import Memory
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.session_array import PerSession, maximum, minimum
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class SlidingWindowUCB(Agent):
    """Index: mean over the window + sqrt(exploration ln min(t, window) / times asked in the window).

    Attributes:
        counts: How often each arm was asked in the window, one per session and arm.
        sums: Sum of its rewards there, not rescaled, one per session and arm.
        memory: The queries in the window.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        window: int = 200,
        exploration: float = 0.02,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start with an empty window.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            window: How many queries are remembered; best near 2 sqrt(T ln T / changes).
            exploration: xi; 0.6 is the authors'.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require_count("window", window)
        self._require(exploration >= 0, "exploration", "at least 0", exploration)
        self.window = window
        self.exploration = exploration
        self.counts = per_arm(len(self._rows), task.n_actions, 0.0)
        self.sums = per_arm(len(self._rows), task.n_actions, 0.0)
        self.memory = Memory(len(self._rows), window)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        return by_session(self._indices()).greedy(allowed=allowed)

    def _indices(self) -> FloatArray:
        """Return the index of each arm, infinite where it has yet to be asked, shape (sessions, arms)."""
        squared_width = self.exploration * np.log(minimum(maximum(self.n_selected.now, 1), self.window))
        means = self.reward_range.rescale(self.sums.array / np.maximum(self.counts.array, 1))
        return upper_confidence(means, self.counts.array, squared_width)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        reward = self.reward_range.clip(reward)
        leaving = self.memory.oldest()
        if leaving:
            self._count(*leaving, -1)
        self._count(action, reward, 1)
        self.memory.add(observation, action, reward)

    def _count(self, action: IntArray, reward: PerSession, sign: int) -> None:
        self.counts[action] += sign
        self.sums[action] += sign * reward
