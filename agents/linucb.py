"""LinUCB with disjoint arms (Li, Chu, Langford and Schapire 2010): theta^T x + alpha sqrt(x^T A^-1 x)."""

from __future__ import annotations

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import uniform_over_best
from llm_routing_env.agents.parts.linear_model import ArmRegressions, with_intercept
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class LinUCB(Agent):
    """Predicts each LLM's reward linearly from the query and asks the one with the highest upper bound.

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
        alpha: float = 0.5,
        ridge: float = 1.0,
    ) -> None:
        """Start without data.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            alpha: Width of the confidence bounds, in units of the reward; the best value is found by trial.
            ridge: Weight of the penalty on the coefficients; 1 in the paper.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(alpha >= 0, "alpha", "at least 0", alpha)
        self._require(ridge > 0, "ridge", "positive", ridge)
        self.alpha = alpha
        self.ridge = ridge
        self.regressions = ArmRegressions(len(self._rows), task.n_actions, task.observation_size + 1, ridge)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        mean, uncertainty = self.regressions.predict(with_intercept(observation))
        return uniform_over_best(mean + self.alpha * uncertainty, allowed)

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.regressions.update(with_intercept(observation), action, reward)
