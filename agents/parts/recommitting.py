"""What a committed agent does when the rewards of its arm fall: it starts anew.

It sees its own arm only. Another LLM that becomes cheaper or better, or a new one, leaves those rewards as they were.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.session_array import SessionArray
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Stateful

DETECTORS = ("page_hinkley",)
_CLOCKS = ("n_selected", "n_updates", "started")  # they run on


class PageHinkley(Stateful):
    """Page's test (1954) with a running mean (Hinkley): have the rewards of an arm fallen?

    After each value x of an arm it adds up x - (mean so far) + delta; a fall below the highest sum so far by more than
    the threshold is a change. As `river.drift.PageHinkley` with mode "down", alpha 1 and min_instances 1.

    Attributes:
        counts: Values so far. All arrays have the shape (sessions, arms).
        means: Their mean.
        sums: Of their deviations from the mean of then, and of delta for each.
        peaks: The highest of these sums so far.
    """

    def __init__(self, n_rows: int, n_actions: int, *, delta: float, threshold: float) -> None:
        """Start without values.

        Args:
            n_rows: Number of sessions.
            n_actions: Number of arms.
            delta: What a value may lie below the mean for nothing.
            threshold: How far the sum may fall.
        """
        self.counts, self.means, self.sums, self.peaks = np.zeros((4, n_rows, n_actions))
        self._rows, self._delta, self._threshold = np.arange(n_rows), delta, threshold

    def add(self, action: IntArray, values: FloatArray) -> BoolArray:
        """Take a value of one arm of each session, and return in which sessions that arm has changed."""
        at = self._rows, action
        self.counts[at] += 1
        self.means[at] += (values - self.means[at]) / self.counts[at]
        self.sums[at] += values - self.means[at] + self._delta
        self.peaks[at] = np.maximum(self.peaks[at], self.sums[at])
        changed: BoolArray = self.peaks[at] - self.sums[at] > self._threshold
        return changed


class Recommitting(Agent):
    """An agent whose commitment need not be for good.

    A subclass calls `_watch` at the end of its constructor, and `_reconsider` before it learns from a reward.

    Attributes:
        change: What is known of every arm's rewards; there with `recommit` only.
        started: How many queries each session had chosen for when it last started anew; there with `recommit` only.
    """

    change: PageHinkley
    started: SessionArray

    def _watch(self, recommit: str | None, delta: float, threshold: float) -> None:
        if recommit is not None and recommit not in DETECTORS:
            raise unknown_name(f"recommit of {type(self).__name__}", recommit, DETECTORS, "Or null: never.")
        self._require(delta >= 0, "recommit_delta", "at least 0", delta)
        self._require(threshold > 0, "recommit_threshold", "positive", threshold)
        self.recommit, self.recommit_delta, self.recommit_threshold = recommit, delta, threshold
        if recommit is None:
            return
        low, high = self.task.reward_quantiles or self.task.reward_bounds
        self._range = high - low if high > low else 1.0
        self.change = PageHinkley(len(self._rows), self.task.n_actions, delta=delta, threshold=threshold)
        self.started = SessionArray(len(self._rows), 0)
        kept = {name for name in self.state() if name in _CLOCKS or name.startswith("earlier.")}  # see `SessionsApart`
        self._fresh = {name: array.copy() for name, array in self.state().items() if name not in kept}

    def _reconsider(self, action: IntArray, reward: FloatArray) -> None:
        """Start anew in the sessions whose arm has changed for the worse; clock and generator run on."""
        if self.recommit is None:
            return
        changed = self.change.add(action, reward / self._range) & (action == self.commitments)
        if not changed.any():
            return
        state = self.state()
        for name, fresh in self._fresh.items():
            state[name] = np.where(changed.reshape(-1, *[1] * (fresh.ndim - 1)), fresh, state[name])
        state["started"] = np.where(changed, self.n_selected.array - 1, state["started"])  # this reward is the first
        self.restore(state)
