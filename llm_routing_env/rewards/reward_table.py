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
        _check(reward, rewards, cells)
        self.rewards: Floats = np.where(cells.failed, reward.bounds[0], rewards)
        self.rewards[np.isnan(cells.accuracy)] = np.nan  # a form may leave the accuracy out
        self.query_means: Floats = self.rewards.mean(axis=2)

    def expected(self, rows: NDArray[np.int64]) -> Floats:
        """Return each LLM's expected reward over those of some rows that it has outcomes of, shape (LLMs,)."""
        return mean_of_known(self.query_means[rows], axis=0)


def _check(reward: Reward, rewards: Floats, cells: Cells) -> None:
    """Refuse rewards that are no numbers within the form's bounds; failed calls get the lower one anyway."""
    what, (low, high) = f"The reward {type(reward).__name__}", reward.bounds
    if np.shape(rewards) != cells.accuracy.shape:
        raise ValueError(f"{what} must give one number per outcome, {cells.accuracy.shape}, got {np.shape(rewards)}.")
    counted = rewards[~cells.failed & ~np.isnan(cells.accuracy)]
    slack = 1e-9 * max(abs(low), abs(high), 1.0)
    if counted.size and not (counted.min() >= low - slack and counted.max() <= high + slack):  # NaN fails too
        raise ValueError(f"{what} must lie within its bounds, {low} to {high}, got {counted.min()} to {counted.max()}.")


def best_of_known(scores: Floats, allowed: NDArray[np.bool_] | bool = True) -> NDArray[np.int64]:
    """Return the LLM of the highest score among those that are allowed, those of unknown score last.

    Args:
        scores: NaN where nothing is known, shape (..., LLMs).
        allowed: Shape (..., LLMs); at least one LLM each.
    """
    ranked = np.where(np.isnan(scores), np.finfo(np.float64).min, scores)
    return np.asarray(np.argmax(np.where(allowed, ranked, -np.inf), axis=-1))


def mean_of_known(values: Floats, axis: int | tuple[int, ...]) -> Floats:
    """Return the mean of the values that are not NaN; NaN where there is none."""
    is_known = ~np.isnan(values)
    if is_known.all():
        return np.asarray(values.mean(axis=axis))
    totals = np.where(is_known, values, 0.0).sum(axis=axis)
    counts = is_known.sum(axis=axis)
    means: Floats = np.divide(totals, counts, out=np.full(np.shape(totals), np.nan), where=counts > 0)
    return means
