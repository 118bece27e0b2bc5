"""Continuous pursuit automaton (Thathachar and Sastry): probability follows the arm with the best estimate.

P <- (1 - s) P + s e_best, with s the step after any reward (CP_RP) or the step times the reward (CP_RI). Early proofs
of its optimality were flawed; Ryan and Omkar (2012) give one that holds.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import per_arm
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import Weights, restrict, uniform_over_best
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask

SCHEMES = ("reward_inaction", "reward_penalty")


class Pursuit(Agent):
    """Estimates every arm's reward and moves probability to the arm with the highest estimate.

    Unlike reward-inaction it pursues the best estimate, not the arm that was asked, and so tolerates larger steps. It
    asks every arm that is available ``initial_pulls`` times first and commits like the learning automaton.

    Attributes:
        probabilities: Probability of each arm once every arm was asked often enough, one per session and arm.
        arms: Mean rewards and counts.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        learning_rate: float = 0.2,
        scheme: str = "reward_inaction",
        initial_pulls: int = 2,
        normaliser: str = "running_minmax",
        threshold: float = 0.01,
    ) -> None:
        """Start with equal probabilities and no estimates.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            learning_rate: Step lambda, between 0 and 1.
            scheme: "reward_inaction" (CP_RI: the step is scaled by the reward) or "reward_penalty" (CP_RP: it is not).
            initial_pulls: How often each arm is asked before probabilities move; about 10 in the literature.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
            threshold: Commit when a probability reaches 1 - threshold.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(0 < learning_rate < 1, "learning_rate", "between 0 and 1", learning_rate)
        self._require(scheme in SCHEMES, "scheme", f"one of {', '.join(SCHEMES)}", scheme)
        self._require_count("initial_pulls", initial_pulls)
        self._require(0 <= threshold < 1, "threshold", "at least 0 and below 1", threshold)
        self.learning_rate = learning_rate
        self.scheme = scheme
        self.initial_pulls = initial_pulls
        self.threshold = threshold
        self.arms = ArmValues(len(self._rows), task.n_actions)
        self.probabilities = per_arm(len(self._rows), task.n_actions, 1 / task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> Weights:
        probabilities, is_short = restrict(self.probabilities, allowed), self._is_short(allowed)
        if not is_short.any():
            return probabilities
        first = uniform_over_best(is_short.astype(np.float64), allowed)
        return np.where(is_short.any(axis=1, keepdims=True), first, probabilities)

    def _is_short(self, allowed: BoolArray | None) -> BoolArray:
        """Return which of the allowed arms were not asked often enough, shape (sessions, arms)."""
        is_short: BoolArray = self.arms.counts.array < self.initial_pulls
        return is_short if allowed is None else is_short & allowed

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, self.reward_range.clip(reward))
        is_ready = ~self._is_short(self._allowed).any(axis=1) & self._is_open
        step = self.learning_rate * is_ready * (self.reward_range(reward) if self.scheme == "reward_inaction" else 1.0)
        best = self.arms.values.greedy(allowed=self._allowed)
        best *= step
        self.probabilities *= 1 - step
        self.probabilities += best
        self._commit(self.probabilities.max() >= 1 - self.threshold, self.probabilities.argmax())
