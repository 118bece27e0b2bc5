"""Linear Thompson sampling on outcomes: accuracy = x^T (shared + own weights), and the reward computed from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from llm_routing_env.agents.parts.checks import require_vector
from llm_routing_env.agents.parts.distributions import best_arm
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.outcome_agent import RISK, OutcomeAgent, still_asked
from llm_routing_env.agents.parts.posterior_sampling import gaussian_probability_of_best
from llm_routing_env.agents.parts.session_array import PerSession
from llm_routing_env.agents.parts.shared_regressions import SharedRegressions
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask

_NOISE = 0.45  # of an answer: sqrt(p (1 - p)) is 0.4 to 0.5 for every p from 0.2 to 0.8
_WIDEST = 0.5 * np.sqrt(2 * np.log(1 / RISK))  # of a bound, for the largest deviation that an accuracy can have


class OutcomeLinear(OutcomeAgent):
    """Predicts accuracy, base and gain from the query, asks each LLM with the probability that it is the best.

    What makes a query hard for one LLM makes it hard for most: the weights that all LLMs share say so, and what an LLM
    has beside them is learned from its own answers. One that was never asked starts from what they share. How much LLMs
    differ from query to query, beyond that some are better on all, is learned too: where little, their means decide.

    Attributes:
        accuracies: Regressions of accuracy less its prior, in units of its noise, on the observation and an intercept.
        prices: Those of base and gain, which vary little around what the query and the LLM say.
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
        price_slope: float = 0.1,
        scale: float = 0.2,
        intercept_deviation: float = 0.3,
        feature_deviation: float = 0.15,
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
            scale: Standard deviation of an accuracy around its prediction that exploration assumes; lower explores
                less. Thompson sampling by the book has sqrt(p (1 - p)), about 0.45.
            intercept_deviation: Prior standard deviation of the mean accuracy of all LLMs, and of each from it.
            feature_deviation: That of how far an observation of length 1 moves the accuracy of all LLMs, and of each
                apart from the others; the latter's is where learning it begins.
            discount: What an answer still counts a query later; below 1 the agent follows LLMs that change, and
                inverts matrices for every query.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._believe(prior_accuracy, price_slope, discount)
        deviations = {"intercept_deviation": intercept_deviation, "feature_deviation": feature_deviation}
        for name, value in {"scale": scale, **deviations}.items():
            self._require(value > 0, name, "positive", value)
        require_vector(type(self).__name__, observation)
        self.observation = observation
        self.scale = scale
        self.intercept_deviation = intercept_deviation
        self.feature_deviation = feature_deviation
        shape = (len(self._rows), task.n_actions, task.observation_size + 1)
        prior = np.full(shape[-1], feature_deviation, dtype=np.float64)
        prior[0] = intercept_deviation
        ridge, even = np.square(_NOISE / prior), np.ones(shape[-1])
        self.accuracies = SharedRegressions((*shape, 1), ridge=ridge, shared_ridge=ridge, discount=discount)
        self.prices = SharedRegressions((*shape, 2), ridge=even, shared_ridge=even, discount=discount)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return gaussian_probability_of_best(*self._scores(observation, allowed))

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> PerSession:
        mean, deviation, is_open = self._scores(observation, allowed)
        return best_arm(mean + deviation * self._rng.standard_normal(mean.shape), is_open)

    def _scores(self, observation: FloatArray, allowed: BoolArray | None) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Return mean and deviation of each arm's expected reward, and whether it is still asked; (sessions, arms)."""
        features = with_intercept(observation)
        learned, variance = self.accuracies.predict(features)
        accuracy = self._prior[:, 0] + _NOISE * learned[..., 0]
        base, gain = self._expected(*np.moveaxis(self._prior[:, 1:] + self.prices.predict(features)[0], -1, 0))
        uncertainty = np.sqrt(variance)
        is_open = still_asked(base, gain, accuracy - _WIDEST * uncertainty, allowed)
        return base + gain * accuracy, np.abs(gain) * self.scale * uncertainty, is_open

    def _keep(self, known: Self, arms: IntArray) -> None:
        self.accuracies.keep(known.accuracies, arms)
        self.prices.keep(known.prices, arms)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        surprise = self._measured(action, reward, outcome) - self._prior[action]
        is_answered = self._is_answered(action, reward)
        self.failed_calls.update(action, is_answered)
        features = with_intercept(observation) * is_answered[:, None]  # a query of zeros says nothing
        self.accuracies.update(features, action, surprise[:, :1] / _NOISE)
        self.prices.update(features, action, surprise[:, 1:])
        if (self.n_updates.item() + 1).bit_count() == 1:  # as many again: a power of two
            self.accuracies.learn_ridge()
