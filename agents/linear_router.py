"""Linear router: ridge regression of each LLM's reward on the query, in closed form (Hoerl and Kennard 1970)."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.linear_model import ridge_regression, with_intercept
from llm_routing_env.agents.pretrained import PretrainedAgent
from llm_routing_env.agents.state import FloatArray
from llm_routing_env.agents.task import RoutingTask
from llm_routing_env.agents.training import TrainingTable


class LinearRouter(PretrainedAgent):
    """Predicts each LLM's reward linearly from the query and asks the best: `LinUCB` with nothing left to explore.

    Attributes:
        coefficients: The intercepts as first row, shape (1 + observation size, arms).
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        ridge: float = 1.0,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            ridge: Weight of the penalty on the squared coefficients, next to the summed squared error; intercepts are
                not penalised. 1 as in `LinUCB`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(0 < ridge < np.inf, "ridge", "positive and finite", ridge)
        self.ridge = ridge
        self.coefficients = np.zeros((1 + task.observation_size, task.n_actions))

    def _fit(self, training_table: TrainingTable) -> None:
        self.coefficients = ridge_regression(training_table.observations, training_table.rewards, self.ridge)

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = with_intercept(observation) @ self.coefficients
        return scores
