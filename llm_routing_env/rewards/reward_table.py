"""Every reward of an outcome table, computed once, and the truths that follow from it."""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.reward import Reward
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]


class RewardTable:
    """Rewards as arrays; NaN where the table has no outcome of a query on an LLM.

    Attributes:
        rewards: Shape (queries, LLMs, repeats); a failed call has the reward's lower bound.
        accuracies: Same shape; a failed call has 0.
        query_means: Expected reward of each query on each LLM: the mean over repeats, shape (queries, LLMs).
    """

    def __init__(self, table: OutcomeTable, reward: Reward, scorer: str) -> None:
        """Compute the rewards of `table` under `reward`, with the accuracies of `scorer`."""
        self.accuracies = np.where(table.failed, 0.0, table.accuracy(scorer))
        rewards = reward(self.accuracies, table.cost_usd, table.latency_s, table.measures)
        self.rewards: Floats = np.where(table.failed, reward.bounds[0], rewards)
        self.rewards[np.isnan(self.accuracies)] = np.nan  # a form may leave the accuracy out
        self.query_means: Floats = self.rewards.mean(axis=2)

    def expected(self, queries: NDArray[np.int64]) -> Floats:
        """Return each LLM's expected reward over those of some queries that it has outcomes of, shape (LLMs,)."""
        return mean_of_known(self.query_means[queries], axis=0)


def mean_of_known(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Return the mean of the values that are not NaN; NaN where there is none."""
    is_known = ~np.isnan(values)
    if is_known.all():
        return np.asarray(values.mean(axis=axis))
    totals = np.where(is_known, values, 0.0).sum(axis=axis)
    counts = is_known.sum(axis=axis)
    means: Floats = np.divide(totals, counts, out=np.full(np.shape(totals), np.nan), where=counts > 0)
    return means
