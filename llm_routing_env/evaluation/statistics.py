"""Statistics over sessions with 95 % percentile bootstrap intervals, resampled within contexts (strata).

They are those of Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (NeurIPS 2021,
arXiv 2108.13264) and its library rliable, except that sessions are paired: all agents face the same ones.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]  # whole numbers, which it holds exactly, at half the memory
RESAMPLES = 2000
TAILS = (2.5, 97.5)


class Interval(TypedDict):
    """A statistic of the sessions (the key "mean") and its 95 % interval; None where there is nothing to average."""

    mean: float | None
    low: float | None
    high: float | None


class Band(NamedTuple):
    """A curve and its pointwise 95 % interval, each of shape (points,)."""

    mean: Floats
    low: Floats
    high: Floats


NOTHING: Interval = {"mean": None, "low": None, "high": None}


class Bootstrap:
    """The same resamples of sessions for every agent and metric, so that differences are paired.

    In every method `strata` are per-session values, one array for each context, and contexts count equally. Means leave
    out sessions without a value, NaN; the others take values only.
    """

    def __init__(self, sizes: Sequence[int], rng: np.random.Generator) -> None:
        """Draw the resamples.

        Args:
            sizes: Number of sessions of each context.
            rng: Draws them.
        """
        # How often each session is drawn, shape (sessions, 1 + resamples). Column 0 is the sample itself.
        self._pooled: Counts = np.ones((sum(sizes), 1 + RESAMPLES), dtype=np.float32)
        self._counts = np.split(self._pooled, np.cumsum(sizes)[:-1])
        for n, counts in zip(sizes, self._counts, strict=True):
            counts[:, 1:] = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).T

    def mean(self, strata: Sequence[Floats]) -> Interval:
        """Return the mean over contexts of each context's mean."""
        return interval(self.mean_draws([values[:, None] for values in strata])[0])

    def difference(self, a: Sequence[Floats], b: Sequence[Floats]) -> Interval:
        """Return the mean of A minus B on the same sessions."""
        return self.mean([ours - theirs for ours, theirs in zip(a, b, strict=True)])

    def iqm(self, strata: Sequence[Floats]) -> Interval:
        """Return the interquartile mean: the mean of the middle half of the sessions, of all contexts together.

        As rliable and `scipy.stats.trim_mean(..., 0.25)` do, it cuts off a quarter of the sessions, rounded down, at
        each end. Contexts count equally where they have equally many sessions.
        """
        values = np.concatenate(strata)
        order = np.argsort(values)
        values, n, cut = values[order], len(values), len(values) // 4
        # How many of the sessions that are kept are among the i lowest, plus `cut`.
        kept = _running_total(self._pooled[order])
        np.clip(kept, cut, n - cut, out=kept)
        # The sum of values times the rises of that number, by parts.
        total = (n - cut) * values[-1] - cut * values[0] - np.einsum("s,sr->r", np.diff(values), kept[:-1])
        return interval(total / (n - 2 * cut))

    def probability_of_improvement(self, a: Sequence[Floats], b: Sequence[Floats]) -> Interval:
        """Return P(A > B) + P(A = B) / 2 over all pairs of a session of A and one of B, averaged over contexts.

        That is the Mann-Whitney U statistic divided by the number of pairs.
        """
        draws = [_share_won(*context) for context in zip(a, b, self._counts, strict=True)]
        return interval(np.mean(draws, axis=0))

    def performance_profile(self, strata: Sequence[Floats], thresholds: ArrayLike) -> Band:
        """Return the share of sessions with a value above each threshold.

        Args:
            strata: Per-session values of each context.
            thresholds: Shape (points,).
        """
        above = [(values[:, None] > np.asarray(thresholds)).astype(np.float64) for values in strata]
        draws = self.mean_draws(above)
        low, high = np.percentile(draws[:, 1:], TAILS, axis=1)
        return Band(draws[:, 0], low, high)

    def statistic(self, strata: Sequence[Floats], of_means: Callable[[Floats], Floats]) -> Interval:
        """Return a statistic of the means of several measures of the same sessions.

        Args:
            strata: Per context, values of shape (sessions, measures).
            of_means: Maps means of shape (..., measures) to shape (...); resamples where it is NaN are left out.
        """
        return interval(of_means(self.mean_draws(strata).T))

    def mean_draws(self, strata: Sequence[Floats]) -> Floats:
        """Return the means of many measures at once, for `interval` of each or of what is computed from them.

        Args:
            strata: Per context, values of shape (sessions, measures).

        Returns:
            Each measure's mean in the sample, then in each resample, shape (measures, 1 + resamples).
        """
        shape = (strata[0].shape[1], 1 + RESAMPLES)
        total, n_contexts = np.zeros(shape), np.zeros(shape)
        for values, counts in zip(strata, self._counts, strict=True):
            known, weights = np.isfinite(values), counts.astype(np.float64)
            partly = ~known.all(axis=0)
            n_drawn = np.full(shape, float(len(values)))
            n_drawn[partly] = known[:, partly].T.astype(np.float64) @ weights
            # Where a resample missed the few sessions of a context that have a value, the context is left out.
            total += np.where(known, values, 0.0).T @ weights / np.maximum(n_drawn, 1)
            n_contexts += n_drawn > 0
        draws = np.full(shape, np.nan)
        np.divide(total, n_contexts, out=draws, where=n_contexts > 0)
        return draws


def interval(draws: Floats) -> Interval:
    """Return the interval of a statistic from its value in the sample, then in each resample; NaN is left out."""
    if not np.isfinite(draws[0]):
        return NOTHING
    resampled = draws[1:]
    low, high = np.percentile(resampled[np.isfinite(resampled)], TAILS)
    return {"mean": float(draws[0]), "low": float(low), "high": float(high)}


def intervals(draws: Floats) -> list[Interval]:
    """Return `interval` of each row, much faster than one by one."""
    lows, highs = np.percentile(draws[:, 1:], TAILS, axis=1).tolist()  # NaN where any is
    return [
        interval(row) if np.isnan(low) else {"mean": float(row[0]), "low": low, "high": high}
        for row, low, high in zip(draws, lows, highs, strict=True)
    ]


def _share_won(ours: Floats, theirs: Floats, counts: Counts) -> Floats:
    """Return the share of pairs that we win, a tie being half a win, in each resample of a context."""
    order = np.argsort(theirs)
    lower = _running_total(np.concatenate([np.zeros_like(counts[:1]), counts[order]]))  # row i: of their i lowest
    below, upto = (np.searchsorted(theirs[order], ours, side) for side in ("left", "right"))
    twice_won: Counts = np.einsum("sr,sr->r", counts, lower[below] + lower[upto])
    return twice_won.astype(np.float64) / (2 * len(ours) * len(theirs))


def _running_total(counts: Counts) -> Counts:
    """Cumulate over the first axis, in place; `np.cumsum` does the same several times slower."""
    for before, row in pairwise(counts):
        np.add(before, row, out=row)
    return counts
