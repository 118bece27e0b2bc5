"""Every reward of an outcome table, computed once, and the truths that follow from it."""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.reward import Reward
from llm_routing_env.tables.cells import Cells

Floats = NDArray[np.float64]


class RewardTable:
    """Rewards as arrays.

    Attributes:
        rewards: Shape (rows, LLMs, repeats); a failed call has the reward's lower bound.
        query_means: Expected reward of each query on each LLM: the mean over repeats, shape (rows, LLMs).
    """

    def __init__(self, cells: Cells, reward: Reward) -> None:
        """Compute the rewards of `cells` under `reward`."""
        rewards = reward(cells.accuracy, cells.cost_usd, cells.latency_s, cells.measures)
        self.rewards: Floats = np.where(cells.failed, reward.bounds[0], rewards)
        self.query_means: Floats = self.rewards.mean(axis=2)

    def expected(self, rows: NDArray[np.int64]) -> Floats:
        """Return each LLM's expected reward over some rows, shape (LLMs,)."""
        return np.asarray(self.query_means[rows].mean(axis=0))
