"""How often each LLM's calls failed, and what share is to be expected."""

from __future__ import annotations

from typing import Self

import numpy as np

from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Stateful

# Answered calls beside an LLM's own, at first and for each e-fold of all calls. Too few, and an LLM is out for what a
# first call happened to be; too many, and one that is down is called for long. That they grow, as the logarithm of a
# confidence bound does, brings everyone back in time.
_GRANTED = 4.0


class FailedCalls(Stateful):
    """Counts per session and arm, over all contexts: what makes calls fail is mostly an LLM's server.

    Attributes:
        calls: Shape (sessions, arms).
        failures: How many of them failed, shape (sessions, arms).
    """

    def __init__(self, n_rows: int, n_actions: int, discount: float) -> None:
        """Start without calls.

        Args:
            n_rows: Number of sessions.
            n_actions: Number of arms.
            discount: What a call still counts a query later, in (0, 1].
        """
        self.calls = np.zeros((n_rows, n_actions))
        self.failures = np.zeros((n_rows, n_actions))
        self._discount = discount
        self._rows = np.arange(n_rows)

    def shares(self) -> FloatArray:
        """Return f = failures / (calls + 4 (1 + ln(1 + all calls))), shape (sessions, arms): 0 without a failure."""
        granted = _GRANTED * (1 + np.log1p(self.calls.sum(axis=1, keepdims=True)))
        shares: FloatArray = self.failures / (self.calls + granted)
        return shares

    def update(self, action: IntArray, is_answered: BoolArray) -> None:
        """Count one call per session; both of shape (sessions,)."""
        if self._discount < 1:
            self.calls *= self._discount
            self.failures *= self._discount
        self.calls[self._rows, action] += 1
        self.failures[self._rows, action] += ~is_answered

    def keep(self, known: Self, arms: IntArray) -> None:
        """Take over the counts of fewer arms, whose places among those here are given."""
        self.calls[:, arms] = known.calls
        self.failures[:, arms] = known.failures
