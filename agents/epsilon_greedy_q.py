"""Stateless Q-learning with epsilon-greedy exploration, the second learner of PickLLM (arXiv 2412.12170).

Q_m <- Q_m + alpha (R - Q_m) for the arm m that was asked; a session has one state, nothing is bootstrapped.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from llm_routing_env.agents.parts.agent import Agent, RoutingTask
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import best_arm, epsilon_greedy, only
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes

EXPLORATIONS = ("exponential", "constant", "inverse")


class EpsilonGreedyQ(Agent):
    """Asks a random arm with probability epsilon, else the arm with the highest action value.

    Exploration must fade for the agent to settle: it commits once one arm has been the greedy one for
    ``commit_rounds`` queries in a row while epsilon is below ``commit_epsilon``.

    Attributes:
        arms: Action values and counts.
        greedy_actions: Arm with the highest value, shape (sessions,).
        greedy_streaks: Queries in a row with that arm and epsilon below ``commit_epsilon``, (sessions,).
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        step_size: float | Literal["sample_mean"] = "sample_mean",
        initial_value: float = 0.0,
        exploration: str = "exponential",
        epsilon: float = 0.01,
        epsilon_decay: float = 0.9,
        inverse_scale: float = 5.0,
        commit_rounds: int | None = 30,
        commit_epsilon: float = 0.05,
    ) -> None:
        """Start with equal action values. The paper's values are not known; these defaults are ours.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            step_size: alpha in (0, 1], or "sample_mean" for 1 / (times the arm was asked).
            initial_value: First action value; above the rewards, it makes the agent try every arm.
            exploration: After t queries epsilon is max(epsilon, epsilon_decay^t) if "exponential", unchanged if
                "constant", min(1, inverse_scale * arms / t) if "inverse" (Auer et al. 2002).
            epsilon: Lowest exploration if "exponential", the only one if "constant".
            epsilon_decay: Factor per query if "exponential"; textbooks have 0.99, which is slow for 200 queries.
            inverse_scale: c / d^2 of Auer et al., with d the gap of the two best arms, if "inverse".
            commit_rounds: Queries with one greedy arm before it is final; None: never commit.
            commit_epsilon: Exploration below which those queries count.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        valid_step = step_size == "sample_mean" or (not isinstance(step_size, str) and 0 < step_size <= 1)
        self._require(valid_step, "step_size", "in (0, 1] or 'sample_mean'", step_size)
        self._require(np.isfinite(initial_value), "initial_value", "finite", initial_value)
        self._require(exploration in EXPLORATIONS, "exploration", f"one of {', '.join(EXPLORATIONS)}", exploration)
        self._require(0 <= epsilon <= 1, "epsilon", "from 0 to 1", epsilon)
        self._require(0 <= epsilon_decay <= 1, "epsilon_decay", "from 0 to 1", epsilon_decay)
        self._require(inverse_scale > 0, "inverse_scale", "positive", inverse_scale)
        self._require(commit_rounds is None or commit_rounds >= 1, "commit_rounds", "None or at least 1", commit_rounds)
        self._require(0 <= commit_epsilon <= 1, "commit_epsilon", "from 0 to 1", commit_epsilon)
        self.step_size = step_size
        self.initial_value = initial_value
        self.exploration = exploration
        self.epsilon = epsilon
        self.epsilon_decay = epsilon_decay
        self.inverse_scale = inverse_scale
        self.commit_rounds = commit_rounds
        self.commit_epsilon = commit_epsilon
        constant_step = None if isinstance(step_size, str) else step_size
        self.arms = ArmValues(len(self._rows), task.n_actions, initial_value=initial_value, step_size=constant_step)
        self.greedy_actions = self.arms.values.argmax(axis=1)
        self.greedy_streaks = np.zeros(len(self._rows), dtype=np.int64)

    def current_epsilon(self) -> float:
        """Return the probability that the next query goes to a random arm."""
        rounds = int(self.n_updates)
        if self.exploration == "constant":
            return self.epsilon
        if self.exploration == "exponential":
            return max(self.epsilon, self.epsilon_decay**rounds)
        return min(1.0, self.inverse_scale * self.task.n_actions / max(rounds, 1))

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return epsilon_greedy(self.arms.values, self.current_epsilon(), allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, reward)
        if self.commit_rounds is None or self.current_epsilon() >= self.commit_epsilon:
            return
        greedy = best_arm(only(self.arms.values, self.arms.within_reach(self._allowed)))
        self.greedy_streaks = self.greedy_streaks * (greedy == self.greedy_actions) + 1
        self.greedy_actions = greedy
        self._commit(self.greedy_streaks >= self.commit_rounds, greedy)
