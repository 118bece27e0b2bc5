"""Thompson sampling with Gaussian posteriors (Agrawal and Goyal 2013): N(sum / (n + 1), scale^2 / (n + 1))."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.normalisers import UnitRewardAgent
from llm_routing_env.agents.posterior_sampling import GaussianSampling
from llm_routing_env.agents.state import FloatArray, IntArray, by_cell, cells, per_arm, plain
from llm_routing_env.agents.task import RoutingTask


class ThompsonGaussian(GaussianSampling, UnitRewardAgent):
    """Draws each arm's mean reward from a Gaussian and asks the arm with the highest draw.

    Attributes:
        counts: How often each arm was asked, shape (sessions, arms).
        sums: Sum of its rewards, rescaled to [0, 1], shape (sessions, arms).
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
        self.counts = per_arm(len(self._rows), task.n_actions, 0.0)
        self.sums = per_arm(len(self._rows), task.n_actions, 0.0)

    def _scores(self, observation: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.sums / (self.counts + 1), self.scale / np.sqrt(self.counts + 1)

    def _learn_unit(self, observation: FloatArray, action: IntArray, reward: FloatArray) -> None:
        cell, unit_reward = plain(cells(self._rows, action), reward)
        by_cell(self.counts)[cell] += 1
        by_cell(self.sums)[cell] += unit_reward
