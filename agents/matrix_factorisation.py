"""Matrix factorisation: a short vector for each LLM and one for each query, whose product says how well they match.

The model of RouteLLM (Ong et al. 2024, arXiv 2406.18665) and EmbedLLM (Zhuang et al. 2024, arXiv 2410.02223): an LLM's
vector times a linear projection of the frozen query embedding, trained with noise added to the embeddings. They fit
preferences and right answers by gradient descent; here the target is the reward under squared error, for which the
optimum is known. The noise amounts to a ridge penalty of its variance times the number of queries (Bishop 1995), and
the best matrix of low rank is the ridge solution projected on its main directions (Izenman 1975).
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.linear_model import ridge_regression
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import BoolArray, FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

_SWEEPS = 20


class MatrixFactorisation(PretrainedAgent):
    """Predicts how much better than the others each LLM does on a query, from few numbers per LLM.

    As in RouteLLM, where LLMs are compared in pairs, only differences between LLMs are modelled: the target is the
    reward minus the query's mean reward over the LLMs that it was asked of.

    Attributes:
        llm_embeddings: Shape (arms, rank).
        projection: From observations to query vectors, shape (observation size, rank).
        intercepts: Score of each LLM where the query vector is 0, shape (arms,).
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        rank: int = 3,
        noise: float = 0.05,
    ) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            rank: Length of the vectors; from the number of LLMs less 1, every linear model can be represented.
                RouteLLM has 128 for 64 LLMs, EmbedLLM 232 for 112.
            noise: Standard deviation of the noise on each component of an observation; EmbedLLM has 0.05.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_count("rank", rank)
        self._require(0 < noise < np.inf, "noise", "positive and finite", noise)
        self.rank = rank
        self.noise = noise
        self.llm_embeddings = np.zeros((task.n_actions, min(rank, task.n_actions)))
        self.projection = np.zeros((task.observation_size, min(rank, task.n_actions)))
        self.intercepts = np.zeros(task.n_actions)

    def _fit(self, training_table: TrainingTable) -> None:
        observations, rewards = training_table.observations, training_table.rewards
        was_asked = training_table.has_cell
        n_queries, advantages = was_asked.sum(axis=0), _advantages(rewards, was_asked)
        slopes = ridge_regression(observations, advantages, self.noise**2 * n_queries)[1:]
        means = np.where(was_asked, advantages, 0.0).sum(axis=0) / n_queries
        centres = was_asked.T @ observations / n_queries[:, None]
        # What each direction among the LLMs takes off the penalised error; symmetric up to rounding.
        explained = slopes.T @ observations.T @ np.where(was_asked, advantages - means, 0.0)
        _, directions = np.linalg.eigh((explained + explained.T) / 2)
        self.llm_embeddings = directions[:, ::-1][:, : self.rank]
        self.projection = slopes @ self.llm_embeddings
        self.intercepts = means - (centres @ self.projection * self.llm_embeddings).sum(axis=1)

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = observation @ self.projection @ self.llm_embeddings.T + self.intercepts
        return scores


def _advantages(rewards: FloatArray, was_asked: BoolArray) -> FloatArray:
    """Return the rewards without what the queries have in common, shape (queries, LLMs).

    Which queries an LLM was asked must not count for it, so both effects are fitted, each given the other. Where every
    LLM was asked every query, a query's effect is its mean.
    """
    levels = np.zeros(rewards.shape[1])
    efforts = np.zeros((len(rewards), 1))
    for _ in range(_SWEEPS):
        levels = _mean(rewards - efforts, was_asked, 0)
        efforts = _mean(rewards - levels, was_asked, 1)[:, None]
    advantages: FloatArray = rewards - efforts - levels.mean()
    return advantages


def _mean(values: FloatArray, was_asked: BoolArray, axis: int) -> FloatArray:
    means: FloatArray = np.where(was_asked, values, 0.0).sum(axis=axis) / np.maximum(was_asked.sum(axis=axis), 1)
    return means
