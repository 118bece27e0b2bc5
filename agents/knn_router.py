"""Nearest-neighbour router: an LLM is worth what it earned on the most similar training queries.

The baseline of RouterBench (Hu et al. 2024, arXiv 2403.12031), which elaborate routers rarely beat (arXiv 2505.12601).
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.knn_bandit import unit_rows
from llm_routing_env.agents.parts.distributions import level
from llm_routing_env.agents.parts.leave_one_out import merit
from llm_routing_env.agents.parts.neighbours import neighbour_means
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

_FEWEST = 5
_BLOCK = 256  # training queries at once, whose cosines with all the others are held


class KNNRouter(PretrainedAgent):
    """Asks the LLM with the highest mean reward over the most similar training queries.

    Similarity is the cosine. Queries as similar as the last neighbour count too, so that the order of the training
    table does not matter. An LLM that none of them was asked of is worth its mean over all queries.

    Attributes:
        queries: Training queries scaled to length 1, shape (queries, observation size).
        rewards: Shape (queries, arms), NaN where a query was not asked of an LLM.
        weights: How much each of them counts, shape (queries,).
        fitted_n_neighbours: How many neighbours are averaged, shape ().
    """

    observation = "embedding"
    fits_logs = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        n_neighbours: int | None = None,
    ) -> None:
        """Start without queries.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            n_neighbours: Training queries to average, all if there are fewer; RouterBench compares 5, 10 and 40. None:
                of 5, 10, 20, ... up to half of the queries, the number that is best by leave-one-out, see `merit`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_count("n_neighbours", n_neighbours, is_optional=True)
        self.n_neighbours = n_neighbours
        self.queries = np.zeros((0, task.observation_size))
        self.rewards = np.zeros((0, task.n_actions))
        self.weights = np.zeros(0)
        self.fitted_n_neighbours = np.zeros((), dtype=np.int64)

    def _fit(self, training_table: TrainingTable) -> None:
        self.queries = unit_rows(training_table.observations)
        self.rewards, self.weights = training_table.rewards, training_table.weights
        given = self.n_neighbours
        self.fitted_n_neighbours = np.array(self._best_number(training_table) if given is None else given)

    def _best_number(self, training_table: TrainingTable) -> int:
        """Return the number of neighbours by which the LLMs are picked best by leave-one-out."""
        n_queries = len(self.queries)
        sizes = [_FEWEST]
        while 4 * sizes[0] <= n_queries:
            sizes.insert(0, 2 * sizes[0])  # the most first: of several that earn as much, it is least by chance
        groups, earned = training_table.groups, np.zeros(len(sizes))
        for start in range(0, n_queries, _BLOCK):
            rows = slice(start, start + _BLOCK)
            similarity = self.queries[rows] @ self.queries.T
            similarity[groups[rows, None] == groups] = -np.inf
            for i, scores in enumerate(neighbour_means(similarity, self.rewards, self.weights, sizes)):
                earned[i] += merit(level(scores, self.rounding), training_table, rows)
        return sizes[int(np.argmax(earned))]

    def _scores(self, observation: FloatArray) -> FloatArray:
        similarity = unit_rows(observation) @ self.queries.T
        (means,) = neighbour_means(similarity, self.rewards, self.weights, [int(self.fitted_n_neighbours)])
        return means
