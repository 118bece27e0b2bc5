"""UCB1 (Auer, Cesa-Bianchi and Fischer 2002): mean + sqrt(2 ln t / n)."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import by_session
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.confidence import upper_confidence
from llm_routing_env.agents.parts.distributions import Weights
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.session_array import maximum
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class UCB1(Agent):
    """Asks the arm with the highest upper confidence bound on its mean reward.

    Attributes:
        arms: Mean rewards, not rescaled, and counts.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        c: float = 0.02,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start with every arm untried.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            c: Factor of ln t. The regret bound is proved for 2, the textbook's; short sessions want far less.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(c >= 0, "c", "at least 0", c)
        self.c = c
        self.arms = ArmValues(len(self._rows), task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        return by_session(self._indices()).greedy(allowed=allowed)

    def _indices(self) -> FloatArray:
        """Return the index of each arm, infinite where it has yet to be asked, shape (sessions, arms)."""
        squared_width = self.c * np.log(maximum(self.n_selected.now, 1))
        return upper_confidence(
            self.reward_range.rescale(self.arms.values.array), self.arms.counts.array, squared_width
        )

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, self.reward_range.clip(reward))
