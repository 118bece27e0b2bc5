"""Stateless Q-learning with one row of action values per context, for sessions that mix topics."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import epsilon_greedy
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class PerContextQ(Agent):
    """Epsilon-greedy Q-learning that looks up the query's context; contexts share nothing.

    In a context that was seen n times, epsilon is max(epsilon, epsilon_decay^n).

    Attributes:
        values: Action values, shape (sessions, contexts, arms).
        visits: How often each context was seen, shape (sessions, contexts).
    """

    observation = "context"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        step_size: float = 0.3,
        initial_value: float = 0.0,
        epsilon: float = 0.01,
        epsilon_decay: float = 0.9,
    ) -> None:
        """Start with equal action values.

        Args:
            task: See `Agent`; one observation component per context.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            step_size: alpha in (0, 1].
            initial_value: First action value; above the rewards, it makes the agent try every arm.
            epsilon: Lowest exploration.
            epsilon_decay: Factor per query of the same context.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(0 < step_size <= 1, "step_size", "in (0, 1]", step_size)
        self._require(np.isfinite(initial_value), "initial_value", "finite", initial_value)
        self._require(0 <= epsilon <= 1, "epsilon", "from 0 to 1", epsilon)
        self._require(0 <= epsilon_decay <= 1, "epsilon_decay", "from 0 to 1", epsilon_decay)
        self.step_size = step_size
        self.initial_value = initial_value
        self.epsilon = epsilon
        self.epsilon_decay = epsilon_decay
        shape = (len(self._rows), task.observation_size, task.n_actions)
        self.values = np.full(shape, initial_value, dtype=np.float64)
        self.visits = np.zeros((len(self._rows), task.observation_size))

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        context = observation.argmax(axis=1)
        epsilon = np.maximum(self.epsilon, self.epsilon_decay ** self.visits[self._rows, context])
        return epsilon_greedy(self.values[self._rows, context], epsilon, allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        context = observation.argmax(axis=1)
        self.visits[self._rows, context] += 1
        value = self.values[self._rows, context, action]
        self.values[self._rows, context, action] = value + self.step_size * (reward - value)
