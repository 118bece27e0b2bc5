"""Means with 95 % bootstrap intervals over sessions, resampled within contexts."""

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RESAMPLES = 2000


class Interval(TypedDict):
    """A mean and its 95 % percentile bootstrap interval; None where there is nothing to average."""

    mean: float | None
    low: float | None
    high: float | None


def mean_interval(strata: Sequence[Floats], rng: np.random.Generator) -> Interval:
    """Return the mean over strata of each stratum's mean, with its interval.

    Args:
        strata: One array of per-session values per context; NaN marks sessions that have no value.
        rng: Draws the resamples.
    """
    known = [values[~np.isnan(values)] for values in strata]
    known = [values for values in known if len(values)]
    if not known:
        return {"mean": None, "low": None, "high": None}
    return ratio_interval([values[:, None] for values in known], lambda means: means[..., 0], rng)


def ratio_interval(
    strata: Sequence[Floats], statistic: Callable[[Floats], Floats], rng: np.random.Generator
) -> Interval:
    """Return a statistic of means of several paired measures, with its interval.

    Args:
        strata: One array (sessions, measures) per context; the measures of a session stay together (paired).
        statistic: Maps means of shape (..., measures) to shape (...).
        rng: Draws the resamples.
    """
    total = np.mean([values.mean(axis=0) for values in strata], axis=0)
    resampled = np.mean([_resampled_means(values, rng) for values in strata], axis=0)
    low, high = np.percentile(statistic(resampled), [2.5, 97.5])
    return {"mean": float(statistic(total)), "low": float(low), "high": float(high)}


def _resampled_means(values: Floats, rng: np.random.Generator) -> Floats:
    n = len(values)
    # How often each session is drawn, as weights: a matrix product instead of a gather of every draw.
    counts = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
    return np.asarray(counts @ values / n)
