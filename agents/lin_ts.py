"""Linear Thompson sampling (Agrawal and Goyal 2013), disjoint arms: theta ~ N(theta_hat, v^2 A^-1)."""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import best_arm
from llm_routing_env.agents.parts.linear_model import ArmRegressions, with_intercept
from llm_routing_env.agents.parts.posterior_sampling import gaussian_probability_of_best
from llm_routing_env.agents.parts.session_array import PerSession
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class LinTS(Agent):
    """Predicts each LLM's reward linearly from the query and asks each with the probability that it is the best.

    Only theta^T x matters for a choice, so that is what is drawn: N(theta_hat^T x, v^2 x^T A^-1 x).

    Attributes:
        regressions: The models, with an intercept.
    """

    observation = "embedding32"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        scale: float = 0.1,
        ridge: float = 0.3,
    ) -> None:
        """Start without data.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            scale: v, the assumed standard deviation of a reward around its prediction.
            ridge: Weight of the penalty on the coefficients: (v / prior standard deviation)^2.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(scale > 0, "scale", "positive", scale)
        self._require(ridge > 0, "ridge", "positive", ridge)
        self.scale = scale
        self.ridge = ridge
        self.regressions = ArmRegressions(len(self._rows), task.n_actions, task.observation_size + 1, ridge)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return gaussian_probability_of_best(*self._scores(observation), allowed)

    def _select(self, observation: FloatArray, allowed: BoolArray | None) -> PerSession:
        mean, deviation = self._scores(observation)
        return best_arm(mean + deviation * self._rng.standard_normal(mean.shape), allowed)

    def _scores(self, observation: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of each arm's predicted reward, both of shape (sessions, arms)."""
        mean, uncertainty = self.regressions.predict(self._features(observation))
        return mean, self.scale * uncertainty

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.regressions.update(self._features(observation), action, reward)

    def _features(self, observation: FloatArray) -> FloatArray:
        """Return what the reward is linear in, shape (sessions, features)."""
        return with_intercept(observation)
