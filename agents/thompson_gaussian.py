"""Thompson sampling with Gaussian posteriors (Agrawal and Goyal 2013): N(sum / (n + 1), scale^2 / (n + 1))."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import best_arm
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.posterior_sampling import gaussian_probability_of_best
from llm_routing_env.agents.parts.session_array import PerSession
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class ThompsonGaussian(Agent):
    """Draws each arm's mean reward from a Gaussian and asks the arm with the highest draw.

    Attributes:
        arms: Mean rewards, not rescaled, and counts.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        scale: float = 0.5,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start from the prior N(0, scale^2).

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            scale: Assumed standard deviation of a reward: 0.5 is the largest in [0, 1]; the regret bound uses 1.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(scale > 0, "scale", "positive", scale)
        self.scale = scale
        self.arms = ArmValues(len(self._rows), task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return gaussian_probability_of_best(*self._scores(observation), allowed)

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> PerSession:
        mean, deviation = self._scores(observation)
        return best_arm(mean + deviation * self._rng.standard_normal(mean.shape), allowed)

    def _scores(self, observation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of each arm's mean reward, both of shape (sessions, arms)."""
        counts = self.reward_range.known_counts(self.arms.counts.array)
        sums = counts * self.reward_range.rescale(self.arms.values.array)
        return sums / (counts + 1), self.scale / np.sqrt(counts + 1)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, self.reward_range.clip(reward))
