"""The LLM with the lowest expected cost: what routing by price alone gives."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent, RoutingTask
from llm_routing_env.agents.parts.distributions import uniform_over_best
from llm_routing_env.agents.parts.state import BoolArray, FloatArray


class Cheapest(Agent):
    """Always asks the cheapest LLM by expected cost; while that one is not available, the next cheapest."""

    feedback = "none"

    def __init__(self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None) -> None:
        """Commit to the cheapest LLM before the first query.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_llms()
        self.commitments = np.full(len(self._rows), int(np.argmin(task.expected_cost_usd)))

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        savings = -np.asarray(self.task.expected_cost_usd, dtype=np.float64)
        return uniform_over_best(np.tile(savings, (len(self._rows), 1)), allowed)
