"""An agent as it stands: it routes by what it knows and learns nothing more."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.state import BoolArray, FloatArray


class Frozen(Agent):
    """Chooses with the probabilities that another agent has now, whatever is answered."""

    feedback = "none"

    def __init__(self, agent: Agent, *, n_sessions: int | None = None, seed: int | None = None) -> None:
        """Freeze an agent.

        Args:
            agent: Routes one session.
            n_sessions: See `Agent`.
            seed: See `Agent`.
        """
        super().__init__(agent.task, n_sessions=n_sessions, seed=seed)
        self.observation, self.maximises = agent.observation, agent.maximises
        self._agent = agent

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        masks = [None] * len(observation) if allowed is None else list(allowed)
        return np.stack([self._agent.action_probabilities(*row) for row in zip(observation, masks, strict=True)])
