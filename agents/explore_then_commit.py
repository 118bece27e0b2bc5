"""Explore-then-commit: ask every LLM equally often, then the best of them for the rest of the session."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import best_arm, only, uniform_over_best
from llm_routing_env.agents.parts.session_array import how_many
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class ExploreThenCommit(Agent):
    """Asks each arm ``pulls_per_arm`` times in random order, then commits to the highest mean reward.

    It does not wait for an arm that was never available.

    Attributes:
        arms: Mean rewards and counts.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        pulls_per_arm: int = 3,
    ) -> None:
        """Start exploring.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            pulls_per_arm: How often each arm is asked; the best choice grows with the square of noise over gap.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_count("pulls_per_arm", pulls_per_arm)
        self.pulls_per_arm = pulls_per_arm
        self.arms = ArmValues(len(self._rows), task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return uniform_over_best(self._scores(), allowed)

    def _scores(self) -> FloatArray:
        """Return the mean rewards, infinite for arms that were not asked often enough, shape (sessions, arms)."""
        return np.where(self.arms.counts.array < self.pulls_per_arm, np.inf, self.arms.values)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, reward)
        if not how_many(self._is_open):
            return
        scores = only(self._scores(), self.arms.within_reach(self._allowed))
        self._commit(scores.max(axis=1) < np.inf, best_arm(scores, None))
