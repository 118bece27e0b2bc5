"""Thompson sampling with Beta posteriors: an arm is asked with the probability that it is the best one."""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.arm_values import ArmValues
from llm_routing_env.agents.parts.distributions import best_arm
from llm_routing_env.agents.parts.normalisers import RewardNormaliser
from llm_routing_env.agents.parts.posterior_sampling import beta_probability_of_best
from llm_routing_env.agents.parts.session_array import PerSession
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class ThompsonBeta(Agent):
    """Draws each arm's mean reward from Beta(successes, failures) and asks the arm with the highest draw.

    A reward r in [0, 1] counts as r successes and 1 - r failures. This gives the same means as the usual toss of a coin
    with probability r and needs no randomness to learn; for 0/1 rewards the two are the same.

    Attributes:
        arms: Mean rewards, not rescaled, and counts.
    """

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        prior_successes: float = 1.0,
        prior_failures: float = 2.0,
        normaliser: str = "running_minmax",
    ) -> None:
        """Start from the prior.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            prior_successes: First parameter of the prior; both 1: uniform.
            prior_failures: Second parameter of the prior.
            normaliser: How rewards are rescaled to [0, 1], see `RewardNormaliser`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.normaliser = normaliser
        self.reward_range = RewardNormaliser(normaliser, task, len(self._rows))
        self._require(prior_successes > 0, "prior_successes", "positive", prior_successes)
        self._require(prior_failures > 0, "prior_failures", "positive", prior_failures)
        self.prior_successes = prior_successes
        self.prior_failures = prior_failures
        self.arms = ArmValues(len(self._rows), task.n_actions)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return beta_probability_of_best(*self._posterior(), allowed)

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> PerSession:
        return best_arm(self._rng.beta(*self._posterior()), allowed)

    def _posterior(self) -> tuple[FloatArray, FloatArray]:
        """Return both parameters of each arm's posterior, shape (sessions, arms)."""
        counts = self.reward_range.known_counts(self.arms.counts.array)
        successes = counts * self.reward_range.rescale(self.arms.values.array)
        return self.prior_successes + successes, self.prior_failures + (counts - successes)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.arms.update(action, self.reward_range.clip(reward))
