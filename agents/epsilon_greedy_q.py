"""Stateless Q-learning with epsilon-greedy exploration, the second learner of PickLLM (arXiv 2412.12170).

Q_m <- Q_m + alpha (R - Q_m) for the arm m that was asked; a session has one state, nothing is bootstrapped.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import Weights, best_arm
from llm_routing_env.agents.parts.recommitting import Recommitting
from llm_routing_env.agents.parts.session_array import PerSession, SessionArray, how_many, maximum, minimum
from llm_routing_env.agents.parts.sessions_apart import SessionsApart
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask

EXPLORATIONS = ("exponential", "constant", "inverse")


class EpsilonGreedyQ(Recommitting, SessionsApart):
    """Asks a random arm with probability epsilon, else the arm with the highest action value.

    Exploration must fade for the agent to settle: it commits once one arm has been the greedy one for
    ``commit_rounds`` queries in a row while epsilon is below ``commit_epsilon``.

    Attributes:
        arms: Action values and counts.
        greedy_actions: Arm with the highest value, one per session.
        greedy_streaks: Queries in a row with that arm and epsilon below ``commit_epsilon``, one per session.
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
        recommit: str | None = None,
        recommit_delta: float = 0.05,
        recommit_threshold: float = 10.0,
        prior: str = "fresh",
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
            recommit: "page_hinkley": a committed session starts anew when that test finds that its arm's rewards have
                fallen; None: it never does, as in the paper.
            recommit_delta: What a reward may lie below the mean for nothing, as a share of the train split's range.
            recommit_threshold: How far the sum of such shares may fall, see `PageHinkley`.
            prior: What a session starts from where the agent lives through several: "fresh", equal values as in the
                paper, or "kept", each arm's mean reward in earlier sessions, which counts as one reward.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        valid_step = step_size == "sample_mean" or (not isinstance(step_size, str) and 0 < step_size <= 1)
        self._require(valid_step, "step_size", "in (0, 1] or 'sample_mean'", step_size)
        self._require(np.isfinite(initial_value), "initial_value", "finite", initial_value)
        self._require(exploration in EXPLORATIONS, "exploration", f"one of {', '.join(EXPLORATIONS)}", exploration)
        self._require(0 <= epsilon <= 1, "epsilon", "from 0 to 1", epsilon)
        self._require(0 <= epsilon_decay <= 1, "epsilon_decay", "from 0 to 1", epsilon_decay)
        self._require(inverse_scale > 0, "inverse_scale", "positive", inverse_scale)
        self._require_count("commit_rounds", commit_rounds, is_optional=True)
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
        self.greedy_actions = SessionArray(len(self._rows), 0)
        self.greedy_streaks = SessionArray(len(self._rows), 0)
        self._keep(prior, ArmValues(len(self._rows), task.n_actions))
        self._watch(recommit, recommit_delta, recommit_threshold)

    def current_epsilon(self) -> PerSession:
        """Return the probability that a session's next query goes to a random arm, shape (sessions,)."""
        return self._epsilon_after(self._n_chosen())

    def _n_chosen(self) -> PerSession:
        """Return how many queries each session has chosen for since it last started anew."""
        return self.n_selected.now if self.recommit is None else self.n_selected.now - self.started.now

    def _epsilon_after(self, queries: PerSession) -> PerSession:
        if self.exploration == "constant":
            return self.epsilon
        if self.exploration == "exponential":
            return maximum(self.epsilon_decay**queries, self.epsilon)
        return minimum(self.inverse_scale * self.task.n_actions / maximum(queries, 1), 1.0)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        return self.arms.values.greedy(self.current_epsilon(), allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self._reconsider(action, reward)
        self.arms.update(action, reward)
        if self.prior == "kept":
            self.earlier.update(action, reward)
        if self.commit_rounds is None:
            return
        is_settling = self._epsilon_after(self._n_chosen() - 1) < self.commit_epsilon
        if not how_many(is_settling):
            return
        greedy = best_arm(self.arms.values, self.arms.within_reach(self._allowed))
        self.greedy_streaks.now = self.greedy_streaks.now * (greedy == self.greedy_actions.now) + is_settling
        self.greedy_actions.now = greedy
        self._commit(self.greedy_streaks.now >= self.commit_rounds, greedy)

    def _start_from_earlier(self) -> None:
        was_asked = self.earlier.counts.array > 0
        self.arms.counts.array = was_asked.astype(np.float64)
        self.arms.values.array = np.where(was_asked, self.earlier.values.array, self.initial_value)
