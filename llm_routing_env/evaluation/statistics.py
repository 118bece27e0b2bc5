"""Means with 95 % percentile bootstrap intervals over sessions, resampled within contexts (strata)."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 2000


class Interval(TypedDict):
    """A mean and its 95 % interval; None where there is nothing to average."""

    mean: float | None
    low: float | None
    high: float | None


NOTHING: Interval = {"mean": None, "low": None, "high": None}


class Bootstrap:
    """The same resamples of sessions for every agent and metric, so that differences are paired."""

    def __init__(self, sizes: Sequence[int], rng: np.random.Generator) -> None:
        """Draw the resamples.

        Args:
            sizes: Number of sessions of each context.
            rng: Draws them.
        """
        # How often each session is drawn, as weights: means of all resamples are then one matrix product.
        self._counts = [rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64) for n in sizes]

    def mean(self, strata: Sequence[Floats]) -> Interval:
        """Return the mean over contexts of each context's mean.

        Args:
            strata: Per-session values of each context; NaN marks a session without a value, which is left out.
        """
        known = [np.isfinite(values) for values in strata]
        if not any(mask.any() for mask in known):
            return NOTHING
        total, n_contexts = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
        for values, mask, counts in zip(strata, known, self._counts, strict=True):
            drawn = counts @ mask  # 0 where a resample missed the few sessions of a context that have a value
            total += np.divide(counts @ np.where(mask, values, 0.0), drawn, out=np.zeros(RESAMPLES), where=drawn > 0)
            n_contexts += drawn > 0
        centre = np.mean([values[mask].mean() for values, mask in zip(strata, known, strict=True) if mask.any()])
        return _interval(float(centre), total[n_contexts > 0] / n_contexts[n_contexts > 0])

    def statistic(self, strata: Sequence[Floats], of_means: Callable[[Floats], Floats]) -> Interval:
        """Return a statistic of the means of several measures of the same sessions.

        Args:
            strata: Per context, values of shape (sessions, measures).
            of_means: Maps means of shape (..., measures) to shape (...).
        """
        pairs = zip(strata, self._counts, strict=True)
        resampled = np.mean([counts @ values / len(values) for values, counts in pairs], axis=0)
        centre = np.mean([values.mean(axis=0) for values in strata], axis=0)
        return _interval(float(of_means(centre)), of_means(resampled))


def _interval(centre: float, resampled: Floats) -> Interval:
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    return {"mean": centre, "low": float(low), "high": float(high)}
