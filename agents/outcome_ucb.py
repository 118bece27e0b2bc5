"""KL-UCB on outcomes: the highest plausible accuracy, and the reward computed from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_routing_env.agents.kl_ucb import highest_plausible_mean
from llm_routing_env.agents.parts.counting_agent import CountingAgent
from llm_routing_env.agents.parts.distributions import uniform_over_best
from llm_routing_env.agents.parts.session_array import column, maximum
from llm_routing_env.agents.parts.state import BoolArray, FloatArray
from llm_routing_env.agents.parts.task import RoutingTask


class OutcomeUCB(CountingAgent):
    """Asks the LLM with the highest reward at its highest plausible accuracy in the query's context."""

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        prior_accuracy: float | Sequence[float] = 0.5,
        price_slope: float = 0.1,
        prior_pulls: float = 2.0,
        pseudo_pulls: float = 4.0,
        exploration: float = 0.1,
        discount: float = 1.0,
    ) -> None:
        """Start from the prior.

        Args:
            task: See `Agent`; one observation component per context. It must have a reward function.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            prior_accuracy: Expected accuracy of the mean LLM, or of each.
            price_slope: By how much accuracy is expected to rise with ten times the cost, from the mean LLM's.
            prior_pulls: How many answers these expectations count as.
            pseudo_pulls: How many answers of a context all others together count as at most.
            exploration: A q is plausible where n kl(mean, q) <= exploration * ln t; 1 is KL-UCB's own.
            discount: What an answer still counts a query later; below 1 the agent follows LLMs that change.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._believe(prior_accuracy, price_slope, discount)
        self._count(prior_pulls, pseudo_pulls)
        self._require(exploration >= 0, "exploration", "at least 0", exploration)
        self.exploration = exploration

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        believed = self._believed(observation)
        budget = self.exploration * np.log(maximum(self.n_selected.now, 1) + 1)
        accuracy = highest_plausible_mean(believed.accuracy, column(budget) / believed.pulls)
        return uniform_over_best(believed.base + believed.gain * accuracy, believed.open_arms(allowed))
