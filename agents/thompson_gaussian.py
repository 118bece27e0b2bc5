"""Thompson sampling with Gaussian posteriors (Agrawal and Goyal 2013): N(sum / (n + 1), scale^2 / (n + 1))."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.normalisers import UnitRewardAgent
from llm_routing_env.agents.parts.posterior_sampling import GaussianSampling
from llm_routing_env.agents.parts.state import FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class ThompsonGaussian(GaussianSampling, UnitRewardAgent):
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
        super().__init__(task, n_sessions=n_sessions, seed=seed, normaliser=normaliser)
        self._require(scale > 0, "scale", "positive", scale)
        self.scale = scale
        self.arms = ArmValues(len(self._rows), task.n_actions)

    def _scores(self, observation: FloatArray) -> tuple[FloatArray, FloatArray]:
        counts = self.reward_range.known_counts(self.arms.counts)
        sums = counts * self.reward_range.rescale(self.arms.values)
        return sums / (counts + 1), self.scale / np.sqrt(counts + 1)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, self.reward_range.clip(reward))
