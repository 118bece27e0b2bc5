"""Linear router: ridge regression of each LLM's reward on the query, in closed form (Hoerl and Kennard 1970)."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.distributions import level
from llm_routing_env.agents.parts.leave_one_out import merit
from llm_routing_env.agents.parts.linear_model import predictions_left_out, ridge_regression, with_intercept
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

RIDGES = tuple(10 ** (exponent / 2) for exponent in range(10, -7, -1))  # from 10^5 to 10^-3


class LinearRouter(PretrainedAgent):
    """Predicts each LLM's reward linearly from the query and asks the best: `LinUCB` with nothing left to explore.

    Attributes:
        coefficients: The intercepts as first row, shape (1 + observation size, arms).
        fitted_ridge: The penalty that they were fitted with, shape ().
    """

    observation = "embedding"
    fits_logs = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        ridge: float | None = None,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            ridge: Weight of the penalty on the squared coefficients, next to the summed squared error; intercepts are
                not penalised. None: of `RIDGES`, the one that is best by leave-one-out, see `merit`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(ridge is None or 0 < ridge < np.inf, "ridge", "None, or positive and finite", ridge)
        self.ridge = ridge
        self.coefficients = np.zeros((1 + task.observation_size, task.n_actions))
        self.fitted_ridge = np.zeros(())

    def _fit(self, training_table: TrainingTable) -> None:
        ridge = self._best_ridge(training_table) if self.ridge is None else self.ridge
        self.fitted_ridge = np.array(ridge)
        seen, weights = training_table.observations, training_table.weights
        self.coefficients = ridge_regression(seen, training_table.rewards, ridge, weights)

    def _best_ridge(self, training_table: TrainingTable) -> float:
        """Return the penalty under which the LLMs are picked best by leave-one-out, the heaviest if several."""
        observations, rewards, groups = training_table.observations, training_table.rewards, training_table.groups
        if groups.max() == 0:
            return RIDGES[0]
        left_out = predictions_left_out(observations, rewards, groups, RIDGES, training_table.weights)
        earned = [merit(level(scores, self.rounding), training_table) for scores in left_out]
        return RIDGES[int(np.argmax(earned))]

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = with_intercept(observation) @ self.coefficients
        return scores
