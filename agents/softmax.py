"""Boltzmann exploration: arms are asked in proportion to exp(mean reward / temperature)."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import restrict, softmax
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.session_array import column
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class Softmax(Agent):
    """Prefers arms smoothly by their mean reward; a fixed temperature never stops exploring.

    Attributes:
        arms: Mean rewards, not rescaled, and counts.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        temperature: float = 0.05,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start with every arm untried.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            temperature: In units of the rescaled reward: a gap of this size makes an arm e times as likely.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(temperature > 0, "temperature", "positive", temperature)
        self.temperature = temperature
        self.arms = ArmValues(len(self._rows), task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        # The highest possible reward stands for an arm until something is known of it; any less could bury it for good.
        is_known = (self.arms.counts.array > 0) & column(self.reward_range.is_known)
        means = np.where(is_known, self.reward_range.rescale(self.arms.values.array), 1.0)
        return restrict(softmax(means / self.temperature), allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, self.reward_range.clip(reward))
