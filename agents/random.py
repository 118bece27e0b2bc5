"""Uniform choice: what routing must beat."""

from __future__ import annotations

from llm_routing_env.agents.base import Agent
from llm_routing_env.agents.distributions import restrict, uniform
from llm_routing_env.agents.state import BoolArray, FloatArray


class Random(Agent):
    """Asks every available LLM with equal probability and learns nothing."""

    feedback = "none"

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return restrict(uniform(len(self._rows), self.task.n_actions), allowed)
