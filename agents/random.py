"""Uniform choice: what routing must beat."""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import restrict, uniform
from llm_routing_env.agents.parts.state import BoolArray, FloatArray


class Random(Agent):
    """Asks every available LLM with equal probability and learns nothing."""

    feedback = "none"

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return restrict(uniform(len(self._rows), self.task.n_actions), allowed)
