"""How much routing can gain: the best fixed LLM, the best per context, the oracle, and nearest neighbours between them.

Contexts count equally, as in comparisons. A choice is always judged on queries that it was not made
from; only the oracle is not, which makes it an upper bound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.evaluation.intervals import NOTHING, Interval
from llm_routing_env.evaluation.statistics import Estimate, Resamples, pooled, share_of
from llm_routing_env.rewards.reward_table import best_of_known, mean_of_known

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
HALVES = 200


@dataclass(frozen=True)
class RoutedMeans:
    """Mean rewards of choices, over the queries they were judged on, contexts weighted equally."""

    best_fixed: float
    informed: float
    oracle: float

    @property
    def gap_closed(self) -> float | None:
        """The share of the gap between the best fixed LLM and the oracle; None where there is no gap."""
        gap = self.oracle - self.best_fixed
        return (self.informed - self.best_fixed) / gap if gap > 1e-12 else None


class SplitHalf:
    """Chooses the best LLM, overall and per context, on one half of the queries, and judges it on the other half."""

    def __init__(self, means: Floats, contexts: Ints) -> None:
        """Prepare.

        Args:
            means: Expected rewards, NaN where an LLM was not asked, shape (queries, LLMs).
            contexts: Each query's context, as an index.
        """
        self._order = np.argsort(contexts, kind="stable")
        self._contexts = np.unique(contexts, return_inverse=True)[1][self._order]
        self._starts = np.searchsorted(self._contexts, np.arange(self._contexts[-1] + 1))
        self._means = means[self._order]
        self._known = ~np.isnan(self._means)
        self._sizes = np.bincount(self._contexts)
        self._oracle = self._mean(np.where(self._known, self._means, -np.inf).max(axis=1))

    def measure(self, half: Mask) -> RoutedMeans:
        """Judge both ways: chosen on `half`, judged on the rest, and the reverse."""
        return self._measure(half[self._order])

    def measure_random(self, rng: np.random.Generator, n_halves: int = HALVES) -> tuple[RoutedMeans, Interval]:
        """Judge random halves, drawn within contexts.

        Returns:
            The mean over the halves, and the share of the gap closed with the range of the middle 95 % of the halves.
        """
        drawn = [self._measure(self._draw(rng)) for _ in range(n_halves)]
        best_fixed, informed = (
            float(np.mean([getattr(one, name) for one in drawn])) for name in ("best_fixed", "informed")
        )
        mean = RoutedMeans(best_fixed, informed, self._oracle)
        shares = [one.gap_closed for one in drawn if one.gap_closed is not None]
        if mean.gap_closed is None or not shares:
            return mean, NOTHING
        low, high = np.percentile(shares, [2.5, 97.5])
        return mean, {"mean": mean.gap_closed, "low": float(low), "high": float(high)}

    def _draw(self, rng: np.random.Generator) -> Mask:
        shuffled = np.lexsort((rng.random(len(self._contexts)), self._contexts))
        rank = np.arange(len(shuffled)) - self._starts[self._contexts]
        half = np.empty(len(shuffled), dtype=bool)
        half[shuffled] = rank < self._sizes[self._contexts] // 2
        return half

    def _measure(self, half: Mask) -> RoutedMeans:
        fixed, informed = np.empty(len(half)), np.empty(len(half))
        for evidence in (half, ~half):
            seen = self._known & evidence[:, None]
            sums = np.add.reduceat(np.where(seen, self._means, 0.0), self._starts)
            counts = np.add.reduceat(seen.astype(np.int64), self._starts)
            by_context = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
            overall = mean_of_known(by_context, 0)
            # A context that the evidence lacks tells nothing: fall back on the best fixed LLM.
            by_context = np.where(counts.any(axis=1, keepdims=True), by_context, overall)
            fixed[~evidence] = self._earned(np.broadcast_to(overall, by_context.shape))[~evidence]
            informed[~evidence] = self._earned(by_context)[~evidence]
        return RoutedMeans(self._mean(fixed), self._mean(informed), self._oracle)

    def _earned(self, scores: Floats) -> Floats:
        """Return each query's reward under the LLM of the highest score in its context that was asked the query."""
        llms = best_of_known(scores[self._contexts], self._known)
        return np.asarray(self._means[np.arange(len(llms)), llms])

    def _mean(self, of_queries: Floats) -> float:
        return float((np.add.reduceat(of_queries, self._starts) / self._sizes).mean())


def routed_means(
    fixed: Floats, informed: Floats, oracle: Floats, contexts: Ints, seed: int
) -> tuple[RoutedMeans, Interval]:
    """Return mean rewards, and the share of the gap closed with its 95 % bootstrap interval over queries.

    Args:
        fixed: Each query's reward under the best fixed LLM.
        informed: Under the policy judged.
        oracle: Under the oracle.
        contexts: Each query's context, as an index.
        seed: Of the resamples.
    """
    means = [_mean(values, contexts, seed) for values in (fixed, informed, oracle)]
    judged = RoutedMeans(*(estimate.mean for estimate in means))
    if judged.gap_closed is None:
        return judged, NOTHING
    gain, gap = (estimate - means[0] for estimate in means[1:])
    return judged, share_of(gain, gap)


def _mean(values: Floats, contexts: Ints, seed: int) -> Estimate:
    estimates = []
    for context in np.unique(contexts):
        mine = values[contexts == context][None]
        resamples = Resamples(mine.size, seed, str(context))
        estimates.append(resamples.mean(mine, np.arange(mine.size)[None], None))
    return pooled(estimates)
