"""Nearest-neighbour router: an LLM is worth what it earned on the most similar training queries.

The baseline of RouterBench (Hu et al. 2024, arXiv 2403.12031), which elaborate routers rarely beat (arXiv 2505.12601).
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.knn_bandit import unit_rows
from llm_routing_env.agents.pretrained import PretrainedAgent
from llm_routing_env.agents.state import FloatArray
from llm_routing_env.agents.task import RoutingTask
from llm_routing_env.agents.training import TrainingTable

# Cosines of the same two queries differ by rounding, between a batch and a single session for instance.
_ROUNDING = 1e-12


class KNNRouter(PretrainedAgent):
    """Asks the LLM with the highest mean reward over the most similar training queries.

    Similarity is the cosine. Queries as similar as the last neighbour count too, so that the order of the training
    table does not matter.

    Attributes:
        queries: Training queries scaled to length 1, shape (queries, observation size).
        rewards: Shape (queries, arms).
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        n_neighbours: int = 10,
    ) -> None:
        """Start without queries.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            n_neighbours: Training queries to average, all if there are fewer; RouterBench compares 5, 10 and 40.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(n_neighbours >= 1, "n_neighbours", "at least 1", n_neighbours)
        self.n_neighbours = n_neighbours
        self.queries = np.zeros((0, task.observation_size))
        self.rewards = np.zeros((0, task.n_actions))

    def _fit(self, training_table: TrainingTable) -> None:
        self.queries = unit_rows(training_table.observations)
        self.rewards = training_table.rewards

    def _scores(self, observation: FloatArray) -> FloatArray:
        similarity = unit_rows(observation) @ self.queries.T
        last = len(self.queries) - min(self.n_neighbours, len(self.queries))
        threshold = np.partition(similarity, last, axis=1)[:, [last]] - _ROUNDING
        is_near = (similarity >= threshold).astype(np.float64)
        means: FloatArray = is_near @ self.rewards / is_near.sum(axis=1, keepdims=True)
        return means
