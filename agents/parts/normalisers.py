"""Rescaling of rewards to [0, 1], which automata and index policies need and rewards of a router do not have.

The choice is explicit, as it matters: linear reward-inaction is not invariant to a shift of the reward.

A running range changes, so a rescaled reward must not outlive its step: what an agent keeps of rewards, it keeps as
they came, and rescales when it decides. A mean may wait for that, since means and affine maps commute.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.session_array import PerSession, SessionArray, column, maximum, minimum, plain
from llm_routing_env.agents.parts.state import FloatArray, Stateful
from llm_routing_env.agents.parts.task import RoutingTask

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

    An incremental rule takes ``reward_range(reward)``. One that keeps means keeps those of
    ``reward_range.clip(reward)``, and takes ``reward_range.rescale(means)`` when it decides.

    Attributes:
        low: Reward that maps to 0, one per session.
        high: Reward that maps to 1, one per session.
    """

    def __init__(self, kind: str, task: RoutingTask, n_rows: int) -> None:
        """Start with the task's range, or with an empty one that follows the rewards.

        Args:
            kind: One of `NORMALISERS`.
            task: Gives the bounds and the quantiles.
            n_rows: Number of sessions.

        Raises:
            ValueError: If there is no such kind.
        """
        if kind not in NORMALISERS:
            raise ValueError(f"RewardNormaliser: normaliser must be one of {', '.join(NORMALISERS)}, got {kind!r}.")
        low, high = {
            "running_max": (0.0, 0.0),
            "running_minmax": (np.inf, -np.inf),
            "bounds": task.reward_bounds,
            "quantiles": task.reward_quantiles or task.reward_bounds,
        }[kind]
        self.low = SessionArray(n_rows, low)
        self.high = SessionArray(n_rows, high)
        self._follows_low = kind == "running_minmax"
        self._follows_high = kind in ("running_max", "running_minmax")

    @property
    def is_known(self) -> PerSession:
        """Whether each session has a range yet, shape (sessions,)."""
        return self.high.now > self.low.now

    def known_counts(self, counts: FloatArray) -> FloatArray:
        """Return how many rewards, shape (sessions, arms), say something: none while the range is empty."""
        known: FloatArray = counts * column(self.is_known)
        return known

    def clip(self, reward: PerSession) -> PerSession:
        """Extend a running range to the rewards, shape (sessions,), and return what of them lies within the range.

        A reward is clipped by the ends that stand still only, so what is returned stays right.
        """
        reward = plain(reward)
        if self._follows_low:
            self.low.fall_to(reward)
        else:
            reward = maximum(reward, self.low.now)
        if self._follows_high:
            self.high.rise_to(reward)
        else:
            reward = minimum(reward, self.high.now)
        return reward

    def __call__(self, reward: PerSession) -> PerSession:
        """Extend a running range to the rewards, shape (sessions,), and return them rescaled, to be used at once."""
        above = self.clip(reward) - self.low.now
        # Never 0 / 0: in an empty range it is 0 that is divided.
        return above / maximum(self.high.now - self.low.now, _TINY)

    def rescale(self, means: FloatArray) -> FloatArray:
        """Return means of clipped rewards, shape (sessions, arms), as means of rescaled ones by the range known now."""
        low, high = column(self.low.now), column(self.high.now)
        scaled: FloatArray = np.divide(means - low, high - low, out=np.zeros(means.shape, order="F"), where=high > low)
        np.minimum(np.maximum(scaled, 0.0, out=scaled), 1.0, out=scaled)
        return scaled
