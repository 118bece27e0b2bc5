"""Nearest-neighbour bandit: an LLM is worth what it earned on the most similar queries of the session.

Nearest neighbours are a baseline that elaborate routers rarely beat (arXiv 2505.12601).
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import epsilon_greedy
from llm_routing_env.agents.parts.memory import Memory
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray, Outcomes
from llm_routing_env.agents.parts.task import RoutingTask


class KNNBandit(Agent):
    """Asks the LLM with the highest mean reward over its most similar queries, a random one with probability epsilon.

    Similarity is the cosine. An LLM that was never asked, as far as the memory goes, comes first.

    Attributes:
        memory: The queries to compare with.
    """

    observation = "embedding32"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        n_neighbours: int = 5,
        epsilon: float = 0.005,
        capacity: int = 256,
    ) -> None:
        """Start without queries.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            n_neighbours: Queries per LLM to average; published routers use 5 to 40.
            epsilon: Probability of asking a random LLM.
            capacity: How many queries are remembered.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require_count("n_neighbours", n_neighbours)
        self._require(0 <= epsilon <= 1, "epsilon", "from 0 to 1", epsilon)
        self._require_count("capacity", capacity)
        self.n_neighbours = n_neighbours
        self.epsilon = epsilon
        self.capacity = capacity
        self.memory = Memory(len(self._rows), capacity, task.observation_size)

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return epsilon_greedy(self._estimates(unit_rows(observation)), self.epsilon, allowed)

    def _estimates(self, query: FloatArray) -> FloatArray:
        """Return each arm's mean reward over its nearest queries, infinite without any, shape (sessions, arms)."""
        remembered, actions, rewards = self.memory.recall()
        similarity = (remembered @ query[:, :, None])[..., 0]
        nearest_first = np.argsort(-similarity, axis=1, kind="stable")
        actions = np.take_along_axis(actions, nearest_first, axis=1)
        rewards = np.take_along_axis(rewards, nearest_first, axis=1)
        estimates = np.full((len(query), self.task.n_actions), np.inf)
        for arm in range(self.task.n_actions):
            asked = actions == arm
            used = asked & (asked.cumsum(axis=1) <= self.n_neighbours)
            count = used.sum(axis=1)
            np.divide((rewards * used).sum(axis=1), count, out=estimates[:, arm], where=count > 0)
        return estimates

    def _learn(self, observation: FloatArray, action: IntArray, reward: FloatArray, outcome: Outcomes) -> None:
        self.memory.add(unit_rows(observation), action, reward)


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Return the rows scaled to length 1, rows of zeros excepted."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: FloatArray = vectors / np.where(length > 0, length, 1.0)
    return scaled
