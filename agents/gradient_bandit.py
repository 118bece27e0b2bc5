"""Gradient bandit (Sutton and Barto, section 2.8): stochastic gradient ascent on softmax preferences.

H_i <- H_i + alpha (R - baseline) (1[i = m] - pi_i) for the arm m that was asked.
"""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_array import by_session, per_arm
from llm_routing_env.agents.parts.distributions import restrict, softmax
from llm_routing_env.agents.parts.session_array import SessionArray, plain
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class GradientBandit(Agent):
    """Learns preferences from rewards relative to their mean, so adding a constant to all rewards changes nothing.

    Attributes:
        preferences: Logarithms of the probabilities, up to a constant, one per session and arm.
        baselines: Mean reward so far, one per session.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        step_size: float = 1.6,
    ) -> None:
        """Start with equal preferences.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            step_size: alpha, positive; 0.1 and 0.4 are the book's.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(step_size > 0, "step_size", "positive", step_size)
        self.step_size = step_size
        self.preferences = per_arm(len(self._rows), task.n_actions, 0.0)
        self.baselines = SessionArray(len(self._rows), 0.0)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return restrict(softmax(self.preferences.array), allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        # The baseline takes the reward in first: then even the first step does not depend on the rewards' origin.
        reward = plain(reward)
        self.baselines.now += (reward - self.baselines.now) / (self.n_updates.item() + 1)
        step = self.step_size * (reward - self.baselines.now)
        pulled_back = by_session(self._probabilities(observation, self._allowed))
        pulled_back *= step
        self.preferences -= pulled_back
        self.preferences[action] += step
