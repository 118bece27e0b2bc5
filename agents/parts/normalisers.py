"""Rescaling of rewards to [0, 1], which automata and index policies need and rewards of a router do not have.

The choice is explicit, as it matters: linear reward-inaction is not invariant to a shift of the reward.

A running range changes, so a rescaled reward must not outlive its step: what an agent keeps of rewards, it keeps as
they came, and rescales when it decides. A mean may wait for that, since means and affine maps commute.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent, RoutingTask
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, Stateful

_TINY = 1e-300
NORMALISERS = ("running_max", "running_minmax", "bounds", "quantiles")


class RewardNormaliser(Stateful):
    """Maps rewards to clip((reward - low) / (high - low), 0, 1), with a range per session.

    ==================  ====================================================================================
    ``running_minmax``  Lowest to highest reward so far: works for negative rewards, follows outliers. Default.
    ``running_max``     0 to the highest reward so far. Negative rewards count as 0, so it learns nothing from them.
    ``bounds``          The task's reward bounds: stationary, but wide bounds squash the arms together.
    ``quantiles``       5 % and 95 % quantile of the training split's rewards: stationary and narrower.
    ==================  ====================================================================================

    While a running range is empty (high = low) a reward says nothing: it maps to 0, and `is_known` is false.

    Attributes:
        low: Reward that maps to 0, shape (sessions,).
        high: Reward that maps to 1, shape (sessions,).
    """

    def __init__(self, kind: str, task: RoutingTask, n_rows: int) -> None:
        """Start with the task's range, or with an empty one that follows the rewards.

        Args:
            kind: One of `NORMALISERS`.
            task: Gives the bounds and the quantiles.
            n_rows: Number of sessions.
        """
        low, high = {
            "running_max": (0.0, 0.0),
            "running_minmax": (np.inf, -np.inf),
            "bounds": task.reward_bounds,
            "quantiles": task.reward_quantiles or task.reward_bounds,
        }[kind]
        self.low = np.full(n_rows, low)
        self.high = np.full(n_rows, high)
        self._follows_low = kind == "running_minmax"
        self._follows_high = kind in ("running_max", "running_minmax")

    @property
    def is_known(self) -> BoolArray:
        """Whether each session has a range yet, shape (sessions,)."""
        known: BoolArray = self.high > self.low
        return known

    def known_counts(self, counts: FloatArray) -> FloatArray:
        """Return how many rewards, shape (sessions, arms), say something: none while the range is empty."""
        known: FloatArray = counts * self.is_known[:, None]
        return known

    def clip(self, reward: FloatArray) -> FloatArray:
        """Extend a running range to the rewards, shape (sessions,), and return what of them lies within the range.

        A reward is clipped by the ends that stand still only, so what is returned stays right.
        """
        if self._follows_low:
            np.minimum(self.low, reward, out=self.low)
        if self._follows_high:
            np.maximum(self.high, reward, out=self.high)
        clipped: FloatArray = np.minimum(np.maximum(reward, self.low), self.high)
        return clipped

    def __call__(self, reward: FloatArray) -> FloatArray:
        """Extend a running range to the rewards, shape (sessions,), and return them rescaled, to be used at once."""
        if len(reward) == 1:
            return np.array([self._rescale_one(reward.item())])
        scaled = self.clip(reward)
        scaled -= self.low
        # Never 0 / 0: in an empty range it is 0 that is divided.
        scaled /= np.maximum(self.high - self.low, _TINY)
        return scaled

    def _rescale_one(self, reward: float) -> float:
        """Do the same for one session in plain numbers: numpy's calls would take several times as long."""
        low: float = self.low.item()
        high: float = self.high.item()
        if self._follows_low and reward < low:
            self.low[0] = low = reward
        if self._follows_high and reward > high:
            self.high[0] = high = reward
        return (min(max(reward, low), high) - low) / max(high - low, _TINY)

    def rescale(self, means: FloatArray) -> FloatArray:
        """Return means of clipped rewards, shape (sessions, arms), as means of rescaled ones by the range known now."""
        low, high = self.low[:, None], self.high[:, None]
        scaled: FloatArray = np.divide(means - low, high - low, out=np.zeros_like(means), where=high > low)
        np.minimum(np.maximum(scaled, 0.0, out=scaled), 1.0, out=scaled)
        return scaled


class UnitRewardAgent(Agent):
    """Agent whose rule is written for rewards in [0, 1].

    An incremental rule takes ``reward_range(reward)``; one that keeps means keeps those of
    ``reward_range.clip(reward)``, and takes ``reward_range.rescale(means)`` when it decides.

    Attributes:
        normaliser: How rewards are rescaled, one of `NORMALISERS`.
        reward_range: The range of each session.
    """

    def __init__(self, task: RoutingTask, *, n_sessions: int | None, seed: int | None, normaliser: str) -> None:
        """Start with the range that the normaliser begins with.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            normaliser: One of `NORMALISERS`, see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(normaliser in NORMALISERS, "normaliser", f"one of {', '.join(NORMALISERS)}", normaliser)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
