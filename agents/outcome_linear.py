"""Linear Thompson sampling on outcomes: accuracy = x^T (shared + own weights), and the reward computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from llm_routing_env.agents.parts.distributions import best_arm
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.outcome_agent import RISK, OutcomeAgent, still_asked
from llm_routing_env.agents.parts.posterior_sampling import gaussian_probability_of_best
from llm_routing_env.agents.parts.session_array import PerSession
from llm_routing_env.agents.parts.shared_regressions import SharedRegressions
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import PROMPT, RoutingTask

_WIDEST = 0.5 * np.sqrt(2 * np.log(1 / RISK))  # of a bound, for the largest deviation that an accuracy can have


class OutcomeLinear(OutcomeAgent):
    """Predicts accuracy, base and gain from the query, asks each LLM with the probability that it is the best.

    What makes a query hard for one LLM makes it hard for most: the weights that all LLMs share say so, and what an LLM
    has beside them is learned from its own answers. One that was never asked starts from what they share.

    Attributes:
        regressions: Of accuracy, base and gain, less their priors, on the observation and an intercept.
    """

    observation = "context"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        observation: str = "context",
        prior_accuracy: float | Sequence[float] = 0.5,
        price_slope: float = 0.0,
        scale: float = 0.2,
        ridge: float = 1.0,
        shared_ridge: float = 1.0,
        discount: float = 1.0,
    ) -> None:
        """Start from the prior.

        Args:
            task: See `Agent`. It must have a reward function.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            observation: What it sees of a query: "context", "embedding32", "context+embedding32", "features", ...
            prior_accuracy: Expected accuracy of the mean LLM, or of each.
            price_slope: By how much accuracy is expected to rise with ten times the cost, from the mean LLM's.
            scale: Assumed standard deviation of an accuracy around its prediction; lower explores less.
            ridge: (scale / prior standard deviation)^2 of an LLM's own weights: how many answers the prior counts as.
            shared_ridge: The same of the weights that all LLMs share.
            discount: What an answer still counts a query later; below 1 the agent follows LLMs that change, and
                inverts matrices for every query.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._believe(prior_accuracy, price_slope)
        for name, value in (("scale", scale), ("ridge", ridge), ("shared_ridge", shared_ridge)):
            self._require(value > 0, name, "positive", value)
        self._require(0 < discount <= 1, "discount", "in (0, 1]", discount)
        is_vector = observation not in ("none", PROMPT)
        self._require(is_vector, "observation", 'a vector of numbers, such as "context"', observation)
        self.observation = observation
        self.scale = scale
        self.ridge = ridge
        self.shared_ridge = shared_ridge
        self.discount = discount
        self.regressions = SharedRegressions(
            (len(self._rows), task.n_actions, task.observation_size + 1, 3),
            ridge=ridge,
            shared_ridge=shared_ridge,
            discount=discount,
        )

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return gaussian_probability_of_best(*self._scores(observation, allowed))

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> PerSession:
        mean, deviation, is_open = self._scores(observation, allowed)
        return best_arm(mean + deviation * self._rng.standard_normal(mean.shape), is_open)

    def _scores(self, observation: FloatArray, allowed: BoolArray | None) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Return mean and deviation of each arm's expected reward, and whether it is still asked; (sessions, arms)."""
        learned, variance = self.regressions.predict(with_intercept(observation))
        accuracy, base, gain = np.moveaxis(self._prior + learned, -1, 0)
        uncertainty = np.sqrt(variance)
        is_open = still_asked(base, gain, accuracy - _WIDEST * uncertainty, allowed)
        return base + gain * accuracy, np.abs(gain) * self.scale * uncertainty, is_open

    def _keep(self, known: Self, arms: IntArray) -> None:
        self.regressions.keep(known.regressions, arms)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        surprise = self._measured(action, reward, outcome) - self._prior[action]
        self.regressions.update(with_intercept(observation), action, surprise)
