"""Turn-taking: the load balancer's way of routing."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import uniform_over_best
from llm_routing_env.agents.parts.state import BoolArray, FloatArray


class RoundRobin(Agent):
    """Asks the LLMs in turn, passing over those that are not available."""

    feedback = "none"

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        turns_away = (np.arange(self.task.n_actions) - self.n_selected.array[:, None]) % self.task.n_actions
        return uniform_over_best(-turns_away.astype(np.float64), allowed)
