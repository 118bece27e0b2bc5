"""Every reward of an outcome table, computed once, and the truths that follow from it."""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.base import Reward
from llm_routing_env.tables.cells import Cells

Floats = NDArray[np.float64]


class RewardTable:
    """Rewards as arrays; NaN where the table has no outcome of a query on an LLM.

    Attributes:
        rewards: Shape (rows, LLMs, repeats); a failed call has the reward's lower bound.
        query_means: Expected reward of each query on each LLM: the mean over repeats, shape (rows, LLMs).
    """

    def __init__(self, cells: Cells, reward: Reward) -> None:
        """Compute the rewards of `cells` under `reward`."""
        rewards = reward(cells.accuracy, cells.cost_usd, cells.latency_s, cells.measures)
        self.rewards: Floats = np.where(cells.failed, reward.bounds[0], rewards)
        self.rewards[np.isnan(cells.accuracy)] = np.nan  # a form may leave the accuracy out
        self.query_means: Floats = self.rewards.mean(axis=2)

    def expected(self, rows: NDArray[np.int64]) -> Floats:
        """Return each LLM's expected reward over those of some rows that it has outcomes of, shape (LLMs,)."""
        return mean_of_known(self.query_means[rows], axis=0)


def mean_of_known(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Return the mean of the values that are not NaN; NaN where there is none."""
    is_known = ~np.isnan(values)
    if is_known.all():
        return np.asarray(values.mean(axis=axis))
    totals = np.where(is_known, values, 0.0).sum(axis=axis)
    counts = is_known.sum(axis=axis)
    means: Floats = np.divide(totals, counts, out=np.full(np.shape(totals), np.nan), where=counts > 0)
    return means
