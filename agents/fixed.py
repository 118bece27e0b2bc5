"""One LLM for every query: the reference that no routing decision is made."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent, RoutingTask
from llm_routing_env.agents.parts.distributions import restrict, uniform
from llm_routing_env.agents.parts.state import BoolArray, FloatArray


class Fixed(Agent):
    """Always asks one LLM; while that one is not available, any other with equal probability."""

    feedback = "none"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        llm: str | int = 0,
    ) -> None:
        """Commit to an LLM before the first query.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            llm: Name or index of the LLM.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_llms()
        arm = task.llm_names.index(llm) if llm in task.llm_names else llm
        known = f"one of {', '.join(task.llm_names)}, or an index from 0 to {task.n_actions - 1}"
        self._require(isinstance(arm, int) and 0 <= arm < task.n_actions, "llm", known, llm)
        self.llm = llm
        self.commitments = np.full(len(self._rows), arm)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return restrict(uniform(len(self._rows), self.task.n_actions), allowed)
