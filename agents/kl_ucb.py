"""KL-UCB (Garivier and Cappe 2011): the highest mean q with n kl(mean, q) <= ln t + c ln ln t."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import by_session
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import Weights
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.session_array import column, maximum
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask

_BISECTIONS = 20  # to within 1e-6
_MARGIN = 1e-12


class KLUCB(Agent):
    """Upper confidence bounds from the Bernoulli divergence: asymptotically optimal for 0/1 rewards.

    Attributes:
        arms: Mean rewards, not rescaled, and counts.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        log_log_factor: float = 0.0,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start with every arm untried.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            log_log_factor: c; the authors prove their bound for 3 and recommend 0 in practice.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(log_log_factor >= 0, "log_log_factor", "at least 0", log_log_factor)
        self.log_log_factor = log_log_factor
        self.arms = ArmValues(len(self._rows), task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        return by_session(self._indices()).greedy(allowed=allowed)

    def _indices(self) -> FloatArray:
        """Return the index of each arm, infinite where it has yet to be asked, shape (sessions, arms)."""
        counts, log_time = self.arms.counts.array, np.log(maximum(self.n_selected.now, 1))
        budget = log_time + self.log_log_factor * np.log(maximum(log_time, 1.0))
        means = self.reward_range.rescale(self.arms.values.array)
        bounds = highest_plausible_mean(means, column(budget) / np.maximum(counts, 1))
        return np.where(counts > 0, bounds, np.inf)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, self.reward_range.clip(reward))


def highest_plausible_mean(mean: FloatArray, divergence: FloatArray) -> FloatArray:
    """Return the largest q in [mean, 1] with kl(mean, q) <= divergence, elementwise, by bisection.

    Args:
        mean: Means of Bernoulli distributions, in [0, 1].
        divergence: Allowed Kullback-Leibler divergence in nats, not negative.
    """
    p = np.clip(mean, _MARGIN, 1 - _MARGIN)
    negative_entropy = p * np.log(p) + (1 - p) * np.log1p(-p)
    low, high = p, np.full_like(p, 1 - _MARGIN)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        is_plausible = negative_entropy - p * np.log(middle) - (1 - p) * np.log1p(-middle) <= divergence
        low, high = np.where(is_plausible, middle, low), np.where(is_plausible, high, middle)
    return low
