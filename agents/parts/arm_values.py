"""Running value estimates of every arm, one row per session."""

from __future__ import annotations

from llm_routing_env.agents.parts.arm_array import per_arm
from llm_routing_env.agents.parts.session_array import PerSession, plain
from llm_routing_env.agents.parts.state import BoolArray, IntArray, Stateful


class ArmValues(Stateful):
    """Estimates the value of each arm from the rewards of the arm that was asked.

    Attributes:
        values: Estimates, one per session and arm.
        counts: How often each arm was asked, one per session and arm.
    """

    def __init__(
        self, n_rows: int, n_actions: int, *, initial_value: float = 0.0, step_size: float | None = None
    ) -> None:
        """Start every estimate at one value.

        Args:
            n_rows: Number of sessions.
            n_actions: Number of arms.
            initial_value: First estimate; with sample means the first reward replaces it.
            step_size: Constant step towards the reward; None: 1 / count, which gives the sample mean.
        """
        self.values = per_arm(n_rows, n_actions, initial_value)
        self.counts = per_arm(n_rows, n_actions, 0.0)
        self._step_size = step_size

    def within_reach(self, allowed: BoolArray | None) -> BoolArray | None:
        """Return the arms that are allowed now or were once, shape (sessions, arms): one of them is settled on.

        An arm that is never available is not waited for; one that is away for a while is.
        """
        return None if allowed is None else allowed | (self.counts.array > 0)

    def update(self, action: IntArray, reward: PerSession) -> None:
        """Move the estimate of each session's arm towards its reward; both of shape (sessions,)."""
        count = self.counts[action] + 1
        self.counts[action] = count
        step = 1 / count if self._step_size is None else self._step_size
        value = self.values[action]
        self.values[action] = value + step * (plain(reward) - value)
