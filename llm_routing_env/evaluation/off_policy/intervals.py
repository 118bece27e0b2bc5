"""95 % intervals of off-policy estimates. They speak of queries: all steps of one query move together.

Another session of the same queries says nothing of other queries. So deviations are summed by query, and the sums are
what varies: the sandwich of survey statistics (Liang and Zeger 1986). Where few queries have most of the weight, their
variance is known as badly as from so few: Student's t, of Satterthwaite's (1946) degrees of freedom.
"""

import math

import numpy as np

from llm_routing_env.evaluation.intervals import NOTHING, ROUNDING, Interval
from llm_routing_env.evaluation.off_policy.logged import Estimate, Floats, Ints, Logged
from llm_routing_env.evaluation.statistics import MIN_QUERIES, widening

NORMAL = 1.959964  # 97.5 % quantile


def interval_of(estimate: Estimate, logged: Logged, *, is_share: bool = False) -> Interval:
    """Return an estimate with its interval.

    There are no bounds where fewer than five queries have weight, or where all that counts are alike, and no mean
    where none has. Outcomes that are right or wrong have Wilson's (1927) interval where the estimate is a weighted
    share of them, and where all that count are alike: that of as many queries of equal weight as are as noisy (Korn
    and Graubard 1998).

    Args:
        estimate: The estimate.
        logged: What it was made from.
        is_share: Whether it is a mean of the logged values, by weight.
    """
    mean, sums = estimate.mean, by_query(estimate.deviations, logged.queries)
    if math.isnan(mean):
        return NOTHING
    bare: Interval = {**NOTHING, "mean": mean}
    if len(np.unique(logged.queries[logged.weights > 0])) < MIN_QUERIES:
        return bare
    error = standard_error(sums) * len(sums) / len(logged.value)
    has_width = error > ROUNDING * np.abs(logged.value).max()
    error *= widening(freedom(sums)) if has_width else 1.0
    is_binary = logged.is_bounded and np.isin(logged.value, (0.0, 1.0)).all()
    if is_binary and (is_share or not has_width) and 0 <= mean <= 1:
        return wilson(mean, mean * (1 - mean) / error**2 if has_width else effective_sample_size(logged))
    if not has_width:
        return bare
    half = NORMAL * error
    return {"mean": mean, "low": mean - half, "high": mean + half}


def standard_error(sums: Floats) -> float:
    """Return the standard error of the mean of independent numbers whose mean is 0."""
    return math.sqrt(float(np.square(sums).sum()) / (len(sums) * (len(sums) - 1)))


def freedom(sums: Floats) -> float:
    """Return the degrees of freedom of the variance of numbers whose mean is 0, at least 1 and at most n - 1.

    Those of the chi-squared law that varies, next to its mean, as the numbers' squares do: 2 n / (kurtosis - 1).
    """
    n, squares = len(sums), np.square(sums)
    kurtosis = n * float(np.square(squares).sum() / squares.sum() ** 2)
    return float(np.clip(2 * n / max(kurtosis - 1, ROUNDING), 1, n - 1))


def wilson(share: float, n: float) -> Interval:
    """Return the interval of a share of n alike queries (Wilson 1927, the score interval)."""
    shrink = 1 + NORMAL**2 / n
    centre = (share + NORMAL**2 / (2 * n)) / shrink
    half = NORMAL / shrink * math.sqrt(share * (1 - share) / n + NORMAL**2 / (4 * n**2))
    return {"mean": share, "low": max(centre - half, 0.0), "high": min(centre + half, 1.0)}


def effective_sample_size(logged: Logged) -> float:
    """Return how many queries of equal weight say as much: (sum w)^2 / sum w^2 (Kish 1965); 0 without any weight."""
    weights = by_query(logged.weights, logged.queries)
    return float(weights.sum() ** 2 / np.square(weights).sum()) if weights.any() else 0.0


def by_query(values: Floats, queries: Ints) -> Floats:
    """Return the sum of each query, shape (different queries,)."""
    return np.asarray(np.bincount(np.unique(queries, return_inverse=True)[1], weights=values), dtype=np.float64)
