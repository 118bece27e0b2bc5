"""Pairwise matrix factorisation: learns who would win on a query, from pairs.

RouteLLM (Ong et al. 2024, arXiv 2406.18665, https://github.com/lm-sys/RouteLLM), whose matrix factorisation learns
from people's votes. The symbols are the paper's. `matrix_factorisation` is the same model under squared error.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.adam import adam
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

WEIGHTINGS = ("gap", "equal")
_STEPS, _BATCH, _LEARNING_RATE, _DECAY = 800, 128, 0.01, 1e-4
_DIGITS = 9  # rewards that agree in them are a tie
_OUTLIERS = 0.99  # no gap counts for more than this quantile of them


class PairwiseMF(PretrainedAgent):
    """Asks the LLM with the highest delta(m, x) = w . (v_m * W x).

    By the model, LLM i wins over j with the chance sigma(delta_i - delta_j).

    Ours: pairs are LLMs of different reward on a training query and weigh as much as the rewards differ;
    ``weighting="equal"`` is the paper's rule, which routes public tables no better than the best single LLM, or worse:
    it loses how much lies between two LLMs. A constant is put before the embedding, so that an LLM may be best whatever
    the query. RouteLLM has vectors of 128 numbers for 64 LLMs and embeddings of 1,536, and a smaller step for more
    epochs. Votes, and what the paper adds to them, do not transfer, and a threshold between two LLMs is left out: the
    reward says which is worth its price.

    Attributes:
        projection: W, that of the constant first, shape (1 + observation size, rank).
        llm_embeddings: v, rows of length 1, shape (arms, rank).
        direction: w, shape (rank,).
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        weighting: str = "gap",
        rank: int = 32,
        noise: float = 0.05,
    ) -> None:
        """Start without vectors.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`; also of the first vectors, the order of the queries and the noise.
            weighting: "gap": pairs count by their difference in reward; "equal", as in the paper.
            rank: Length of the vectors; 128 in RouteLLM.
            noise: Standard deviation of the noise on each component of an observation in training; 0.1 in RouteLLM.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        if weighting not in WEIGHTINGS:
            raise unknown_name("weighting of pairwise_mf", weighting, WEIGHTINGS)
        self._require_count("rank", rank)
        self._require(0 <= noise < np.inf, "noise", "finite and at least 0", noise)
        self.weighting = weighting
        self.rank = rank
        self.noise = noise
        self.projection = np.zeros((1 + task.observation_size, rank))
        self.llm_embeddings = np.zeros((task.n_actions, rank))
        self.direction = np.zeros(rank)

    def _fit(self, training_table: TrainingTable) -> None:
        queries, rng = training_table.observations, self._common_rng
        wins = win_weights(training_table.rewards, self.weighting)
        size = min(_BATCH, len(queries))
        scale = size / len(queries) * max(wins.sum(), 1e-300)
        self.projection = rng.normal(size=self.projection.shape) * 3 / np.sqrt(len(self.projection))
        # Random vectors that are near for LLMs that win on the same queries; so their order does not matter.
        advantage = wins.sum(axis=2) - wins.sum(axis=1)
        self.llm_embeddings = _unit(advantage.T @ rng.normal(size=(len(queries), self.rank)))
        self.direction = np.ones(self.rank)

        def gradient(projection: FloatArray, llms: FloatArray, direction: FloatArray) -> tuple[FloatArray, ...]:
            batch = rng.choice(len(queries), size, replace=False)
            seen = queries[batch] + self.noise * rng.normal(size=(size, queries.shape[1]))
            return _gradients(with_intercept(seen), wins[batch] / scale, projection, llms, direction)

        arrays = [self.projection, self.llm_embeddings, self.direction]
        adam(arrays, gradient, n_steps=_STEPS, learning_rate=_LEARNING_RATE)
        self.llm_embeddings = _unit(self.llm_embeddings)

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = (with_intercept(observation) @ self.projection * self.direction) @ self.llm_embeddings.T
        return scores


def win_weights(rewards: FloatArray, weighting: str) -> FloatArray:
    """Return how much it counts that one LLM wins over another on a query, 0 where it does not.

    Args:
        rewards: Shape (queries, LLMs); NaN where a query was not asked of an LLM.
        weighting: "gap" or "equal".

    Returns:
        Shape (queries, winners, losers).
    """
    levels = np.round(rewards, _DIGITS)
    gaps = np.nan_to_num(np.maximum(levels[:, :, None] - levels[:, None, :], 0.0))
    if weighting == "equal":
        wins: FloatArray = (gaps > 0).astype(np.float64)
        return wins
    capped: FloatArray = np.minimum(gaps, np.quantile(gaps[gaps > 0], _OUTLIERS)) if gaps.any() else gaps
    return capped


def _gradients(
    seen: FloatArray, wins: FloatArray, projection: FloatArray, llms: FloatArray, direction: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the gradients of the weighted sum of -log sigma(delta_i - delta_j) by W, v before scaling, and w."""
    unit, hidden = _unit(llms), seen @ projection
    delta = (hidden * direction) @ unit.T
    by_margin = -wins / (1 + np.exp(np.minimum(delta[:, :, None] - delta[:, None, :], 500)))
    by_delta = by_margin.sum(axis=2) - by_margin.sum(axis=1)
    by_product = by_delta @ unit
    by_unit = by_delta.T @ (hidden * direction)
    along = by_unit - unit * (by_unit * unit).sum(axis=1, keepdims=True)  # a length of 1 is kept
    by_llms = along / np.maximum(np.linalg.norm(llms, axis=1, keepdims=True), 1e-12)
    return seen.T @ (by_product * direction) + _DECAY * projection, by_llms, (by_product * hidden).sum(axis=0)


def _unit(vectors: FloatArray) -> FloatArray:
    unit: FloatArray = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit
