"""Mean accuracy, base and gain of every arm, context by context, each shrunk to what the other contexts say."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from llm_routing_env.agents.parts.outcome_agent import RISK, still_asked
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Stateful


class Believed(NamedTuple):
    """What is believed of each arm in each session's context, arrays of shape (sessions, arms).

    Attributes:
        accuracy: Mean accuracy.
        base: Mean reward of a wrong answer.
        gain: Mean gain of a right one over it.
        pulls: How many answers the means count as.
        lowest: The lowest accuracy that the answers in this context alone leave plausible.
    """

    accuracy: FloatArray
    base: FloatArray
    gain: FloatArray
    pulls: FloatArray
    lowest: FloatArray

    def open_arms(self, allowed: BoolArray | None) -> BoolArray:
        """Return which of the allowed arms may be the best, see `still_asked`."""
        return still_asked(self.base, self.gain, self.lowest, allowed)


class OutcomeMeans(Stateful):
    """Sums over the answers of each arm in each context, and over those in all of them.

    A context starts from the mean of all others, which counts as no more than ``pseudo_pulls`` answers of its own; what
    all of them start from counts as ``prior_pulls``.

    Attributes:
        sums: Of accuracy, base, gain and 1, shape (sessions, contexts, arms, 4).
        totals: The same over all contexts, shape (sessions, arms, 4).
    """

    def __init__(
        self,
        n_rows: int,
        n_contexts: int,
        prior: FloatArray,
        *,
        prior_pulls: float,
        pseudo_pulls: float,
        discount: float,
    ) -> None:
        """Start from the prior.

        Args:
            n_rows: Number of sessions.
            n_contexts: Number of contexts.
            prior: Means of accuracy, base and gain, shape (arms, 3).
            prior_pulls: How many answers the prior counts as, positive.
            pseudo_pulls: How many answers the other contexts count as at most.
            discount: What an answer still counts a query later, in (0, 1].
        """
        self.sums = np.zeros((n_rows, n_contexts, len(prior), 4))
        self.totals = np.zeros((n_rows, len(prior), 4))
        self._rows = np.arange(n_rows)
        self._prior = prior_pulls * np.column_stack([prior, np.ones(len(prior))])
        self._most = max(pseudo_pulls, prior_pulls)
        self._discount = discount

    def believed(self, context: IntArray) -> Believed:
        """Return what is believed in each session's context, shape (sessions,)."""
        own = self.sums[self._rows, context]
        others = self.totals - own + self._prior
        weight = np.minimum(1.0, self._most / others[..., 3])
        sums = own + weight[..., None] * others
        accuracy, base, gain = np.moveaxis(sums[..., :3] / sums[..., 3:], -1, 0)
        return Believed(accuracy, base, gain, sums[..., 3], _lowest(own[..., 0], own[..., 3]))

    def keep(self, known: Self, arms: IntArray) -> None:
        """Take over what was learned of fewer arms, whose places among those here are given."""
        self.sums[:, :, arms] = known.sums
        self.totals[:, arms] = known.totals

    def update(self, context: IntArray, action: IntArray, measured: FloatArray, is_answered: BoolArray) -> None:
        """Add one answer per session, where there is one.

        Args:
            context: Of the query, shape (sessions,).
            action: Arm that was asked, shape (sessions,).
            measured: Its accuracy, base and gain, shape (sessions, 3).
            is_answered: Whether there was an answer, shape (sessions,).
        """
        if self._discount < 1:
            self.sums *= self._discount
            self.totals *= self._discount
        answer = np.column_stack([measured, np.ones(len(measured))]) * is_answered[:, None]
        self.sums[self._rows, context, action] += answer
        self.totals[self._rows, action] += answer


def _lowest(right: FloatArray, count: FloatArray) -> FloatArray:
    """Return mean - sqrt(ln(4 n^2 / risk) / 2 n): below the true mean at every n at once, by Hoeffding's inequality."""
    n = np.maximum(count, 1.0)  # what is left of answers long ago counts as one
    lowest: FloatArray = right / n - np.sqrt(np.log(4 * np.square(n) / RISK) / (2 * n))
    return lowest
