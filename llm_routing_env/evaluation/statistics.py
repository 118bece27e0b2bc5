"""Means with 95 % bootstrap intervals that speak of queries, and of sessions or training seeds where there are any.

Sessions draw the same queries again and again, so an interval over sessions alone says how well their lottery is known,
and shrinks to nothing with more of them. Here queries are resampled too, as in the crossed bootstrap of Owen ("The
pigeonhole bootstrap", Annals of Applied Statistics 2007), of which the additive part is used: one deviation for each
source of chance. The product that is left out counts the noise of single answers a third time; the parts count it
twice, which errs to the wide side, on nano by 4 to 12 %. Deviations are widened by Student's t, which few draws need,
and those of learners by `LEARNING`.

Sums run in a fixed order and never through BLAS: a number does not depend on what else is computed beside it.
"""

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.evaluation.intervals import NOTHING, ROUNDING, Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
RESAMPLES = 2000
TAILS = (2.5, 97.5)
MIN_QUERIES = 5  # of a context: resampling fewer says too little of others, whatever it is widened by
# Other queries would also have taught a learner to choose otherwise, which resampling what it chose cannot see. By so
# much its intervals have to be wider, found by simulation over the settings that the tests of coverage have.
LEARNING = 1.25
# Student's 97.5 % quantiles, of rising 1 / freedom.
_FREEDOMS = np.array([np.inf, 120, 60, 30, 20, 15, 10, 8, 6, 5, 4, 3, 2, 1])
_STUDENT = np.array(
    [1.9600, 1.9799, 2.0003, 2.0423, 2.0860, 2.1314, 2.2281, 2.3060, 2.4469, 2.5706, 2.7764, 3.1824, 4.3027, 12.7062]
)
QUERIES, SESSIONS, LIFETIMES, TRAINING_SEEDS = "queries", "sessions", "lifetimes", "training seeds"
SHARED = (LIFETIMES, TRAINING_SEEDS)  # one of them is judged in every context


@dataclass(frozen=True)
class Part:
    """How far a mean moves when one source of chance is resampled.

    Attributes:
        moved: In each resample, shape (resamples,).
        freedom: Number of draws less one, where several contexts are pooled by Welch and Satterthwaite; 0 where nothing
            can be said.
    """

    moved: Floats
    freedom: float


@dataclass(frozen=True)
class Estimate:
    """A mean, and how far each source of chance moves it. Estimates of the same resamples are paired.

    Attributes:
        mean: The mean; NaN where a value is missing.
        parts: By source: `QUERIES`, `SESSIONS`, `LIFETIMES`, `TRAINING_SEEDS`.
    """

    mean: float
    parts: Mapping[str, Part] = field(default_factory=dict)

    def __sub__(self, other: "Estimate") -> "Estimate":
        """Return the paired difference."""
        parts = dict(self.parts)
        for source, theirs in other.parts.items():
            mine = parts.get(source)
            moved = -theirs.moved if mine is None else mine.moved - theirs.moved
            parts[source] = Part(moved, theirs.freedom)
        return Estimate(self.mean - other.mean, parts)

    def __mul__(self, factor: float) -> "Estimate":
        """Return the estimate in another unit."""
        return Estimate(factor * self.mean, self.widened(factor).parts)

    def widened(self, factor: float) -> "Estimate":
        """Return the same mean, moved further."""
        return Estimate(self.mean, {s: Part(factor * part.moved, part.freedom) for s, part in self.parts.items()})

    @property
    def sources(self) -> tuple[str, ...]:
        """What is resampled, in a fixed order."""
        return tuple(source for source in (QUERIES, SESSIONS, *SHARED) if source in self.parts)

    @property
    def is_known(self) -> bool:
        """Whether every source of chance was drawn from more than once."""
        return bool(self.parts) and all(part.freedom > 0 for part in self.parts.values())

    def draws(self) -> Floats:
        """Return the mean, then the mean of each resample, shape (1 + resamples,)."""
        resampled = np.full(RESAMPLES, self.mean)
        for source in self.sources:
            part = self.parts[source]
            resampled += widening(part.freedom) * part.moved
        return np.append(self.mean, resampled)

    def interval(self) -> Interval:
        """Return the mean with its interval; without bounds where some source was drawn from once only."""
        if not self.is_known:
            return {**NOTHING, "mean": _number(self.mean)}
        return interval(self.draws())


def pooled(estimates: Sequence[Estimate]) -> Estimate:
    """Return the mean over contexts, which count equally. Where one says nothing of a source, all together do not."""
    sources = dict.fromkeys(source for estimate in estimates for source in estimate.parts)
    parts = {}
    for source in sources:
        of_context = [estimate.parts[source] for estimate in estimates if source in estimate.parts]
        moved = np.sum([part.moved for part in of_context], axis=0) / len(estimates)
        # One training or lifetime is judged in every context; queries and sessions belong to one each.
        freedom = min(part.freedom for part in of_context)
        parts[source] = Part(moved, freedom if source in SHARED else _freedom(of_context))
    return Estimate(math.fsum(estimate.mean for estimate in estimates) / len(estimates), parts)


def _freedom(parts: Sequence[Part]) -> float:
    """Return the freedom of a sum of independent parts, after Welch and Satterthwaite."""
    variances = [float(np.square(part.moved).mean()) for part in parts]
    total = math.fsum(variances)
    if min(part.freedom for part in parts) == 0 or not total:
        return min(part.freedom for part in parts)
    # As shares: the square of a variance may be too small for a number.
    shares = ((variance / total) ** 2 / part.freedom for variance, part in zip(variances, parts, strict=True))
    return 1 / math.fsum(shares)


class Resamples:
    """How often each query, session, lifetime and training seed of one context is drawn: the same for all rows.

    Queries and sessions are drawn for each context; the others once for all, since each of them serves them all.
    """

    def __init__(self, n_queries: int, seed: int, context: str = "") -> None:
        """Start without any; they are drawn when first needed, whatever is asked for first.

        Args:
            n_queries: Queries of the context.
            seed: Of the draws.
            context: Its name.
        """
        self._n_queries, self._seed, self._context = n_queries, seed, context
        self._counts: dict[tuple[str, int], Floats] = {}

    def counts(self, source: str, n: int) -> Floats:
        """Return how often each of n queries, sessions, lifetimes or training seeds is drawn, shape (n, resamples)."""
        if (source, n) not in self._counts:
            own = "" if source in SHARED else self._context
            rng = np.random.default_rng([self._seed, zlib.crc32(f"{source}/{own}".encode()), n])
            drawn = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES)
            self._counts[source, n] = drawn.T.astype(np.float64, order="C")
        return self._counts[source, n]

    def mean(self, values: Floats, queries: Ints, units: str | None, weights: Floats | None = None) -> Estimate:
        """Return the mean of values that belong to a query and, mostly, to a session or a training seed.

        Args:
            values: Shape (units, values of each).
            queries: The query of each value as a number below `n_queries`, same shape.
            units: What the first axis is, `SESSIONS`, `LIFETIMES` or `TRAINING_SEEDS`; None: there is one only, and no
                chance.
            weights: What the values of each unit are multiplied by already, on average 1; None: by nothing.
        """
        mean = float(values.mean())
        residuals = values - mean if weights is None else values - mean * weights
        flat = queries.ravel()
        of_query = np.bincount(flat, weights=residuals.ravel(), minlength=self._n_queries).astype(np.float64)
        counted = None if weights is None else np.tile(weights, len(values))
        sizes = np.bincount(flat, weights=counted, minlength=self._n_queries).astype(np.float64)
        parts = {QUERIES: self._part(QUERIES, of_query, sizes)}
        if units is not None:
            parts[units] = self._part(units, residuals.mean(axis=1), np.ones(len(values)))
        return Estimate(mean, parts)

    def mean_where(self, values: Floats, queries: Ints, where: Mask) -> Estimate:
        """Return the mean over some of the values of sessions; all three of shape (sessions, steps), see `mean`."""
        mean = float(values[where].mean())
        residuals, flat = np.where(where, values - mean, 0.0), queries.ravel()
        of_query = np.bincount(flat, weights=residuals.ravel(), minlength=self._n_queries)
        sizes = np.bincount(flat, weights=where.ravel(), minlength=self._n_queries)
        parts = {QUERIES: self._part(QUERIES, of_query.astype(np.float64), sizes.astype(np.float64))}
        parts[SESSIONS] = self._part(SESSIONS, residuals.sum(axis=1), where.sum(axis=1).astype(np.float64))
        return Estimate(mean, parts)

    def mean_of_units(self, values: Floats, units: str) -> Estimate:
        """Return the mean of one value per session or training seed, shape (units,)."""
        mean = float(values.mean())
        return Estimate(mean, {units: self._part(units, values - mean, np.ones(len(values)))})

    def _part(self, source: str, sums: Floats, sizes: Floats) -> Part:
        """Resample a ratio of sums whose value in the sample is 0."""
        n = int(np.count_nonzero(sizes))  # short sessions do not come to every query
        if n < (MIN_QUERIES if source == QUERIES else 2):
            return Part(np.zeros(RESAMPLES), 0)
        counts = self.counts(source, len(sums))
        # Each einsum has two fixed operands: its order of summation depends on nothing else.
        drawn = np.einsum("n,nr->r", sizes, counts)
        moved = np.einsum("n,nr->r", sums, counts) / np.where(drawn > 0, drawn, 1.0)
        # Resampling n draws shows the spread of n - 1.
        return Part(moved * math.sqrt(n / (n - 1)), n - 1)


def interval(draws: Floats) -> Interval:
    """Return the interval of a statistic from its value in the sample, then in each resample; NaN is left out."""
    if not np.isfinite(draws[0]):
        return NOTHING
    resampled = draws[1:][np.isfinite(draws[1:])]
    if not len(resampled):
        return {**NOTHING, "mean": float(draws[0])}
    low, high = np.percentile(resampled, TAILS)
    return {"mean": float(draws[0]), "low": float(low), "high": float(high)}


def share_of(gain: Estimate, gap: Estimate) -> Interval:
    """Return a gain as a share of a gap, paired; resamples without a gap are left out."""
    gaps = gap.draws()
    return interval(np.divide(gain.draws(), gaps, out=np.full(gaps.shape, np.nan), where=gaps > ROUNDING))


def medians(values: Sequence[Floats], resamples: Sequence[Resamples]) -> Interval:
    """Return the median over the sessions of all contexts; a number that is not finite stands for "none yet".

    Args:
        values: One per session, infinity where the event did not happen, for each context.
        resamples: Of each context.

    Returns:
        None where the median, or a bound of its interval, lies beyond the end of the sessions.
    """
    drawn = np.concatenate([one.counts(SESSIONS, len(many)) for one, many in zip(resamples, values, strict=True)])
    pooled_values = np.concatenate(values)
    order = np.argsort(pooled_values, kind="stable")
    ranked = pooled_values[order]
    reached = 2 * np.cumsum(drawn[order], axis=0) >= len(ranked)
    low, high = np.percentile(ranked[np.argmax(reached, axis=0)], TAILS, method="inverted_cdf")
    found = (float(ranked[(len(ranked) - 1) // 2]), float(low), float(high))
    mean, low, high = (value if math.isfinite(value) else None for value in found)
    return {"mean": mean, "low": low, "high": high}


def widening(freedom: float) -> float:
    """Return Student's 97.5 % quantile over the normal one, read off a table; NaN below 1."""
    if freedom < 1:
        return math.nan
    quantile = math.exp(np.interp(1 / freedom, 1 / _FREEDOMS, np.log(_STUDENT)))
    return float(quantile / _STUDENT[0])


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
