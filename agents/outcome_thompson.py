"""Thompson sampling on outcomes: accuracy is drawn from a Beta posterior, and the reward computed from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_routing_env.agents.parts.counting_agent import CountingAgent
from llm_routing_env.agents.parts.distributions import best_arm
from llm_routing_env.agents.parts.outcome_means import Believed
from llm_routing_env.agents.parts.posterior_sampling import scaled_beta_probability_of_best
from llm_routing_env.agents.parts.session_array import PerSession
from llm_routing_env.agents.parts.state import BoolArray, FloatArray
from llm_routing_env.agents.parts.task import RoutingTask

_SUREST = 0.01  # off 0 or 1 a prior accuracy is at least: at the ends Beta distributions have no width to draw from


class OutcomeThompson(CountingAgent):
    """Asks each LLM with the probability that it is the best in the query's context, knowing what answers cost."""

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
        scale: float = 0.35,
        discount: float = 1.0,
    ) -> None:
        """Start from the prior.

        Args:
            task: See `Agent`; one observation component per context. It must have a reward function.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            prior_accuracy: Expected accuracy of the mean LLM, or of each; below 0.01 it is taken for 0.01, above 0.99
                for 0.99: who is sure has nothing to draw.
            price_slope: By how much accuracy is expected to rise with ten times the cost, from the mean LLM's.
            prior_pulls: How many answers these expectations count as.
            pseudo_pulls: How many answers of a context all others together count as at most.
            scale: Factor on the posterior's standard deviation; 1: as Bayes has it, lower explores less.
            discount: What an answer still counts a query later; below 1 the agent follows LLMs that change.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._believe(prior_accuracy, price_slope, discount)
        self._prior[:, 0] = np.clip(self._prior[:, 0], _SUREST, 1 - _SUREST)
        self._count(prior_pulls, pseudo_pulls)
        self._require(scale > 0, "scale", "positive", scale)
        self.scale = scale

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        believed = self._believed(observation)
        first, second = self._posterior(believed)
        is_open = believed.open_arms(allowed)
        return scaled_beta_probability_of_best(first, second, believed.base, believed.gain, is_open)

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> PerSession:
        believed = self._believed(observation)
        accuracy = self._rng.beta(*self._posterior(believed))
        return best_arm(believed.base + believed.gain * accuracy, believed.open_arms(allowed))

    def _posterior(self, believed: Believed) -> tuple[FloatArray, FloatArray]:
        """Return both parameters of each arm's posterior, shape (sessions, arms)."""
        pulls = believed.pulls / self.scale**2
        return believed.accuracy * pulls, (1 - believed.accuracy) * pulls
