"""Whether a log can say anything of a policy: what of it was never tried, on how few queries it rests, and warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.evaluation.intervals import NOTHING, ROUNDING, Interval
from llm_routing_env.evaluation.off_policy.doubly_robust import dr
from llm_routing_env.evaluation.off_policy.intervals import (
    NORMAL,
    by_query,
    effective_sample_size,
    freedom,
    standard_error,
)
from llm_routing_env.evaluation.off_policy.logged import Floats, Ints, Logged
from llm_routing_env.evaluation.statistics import MIN_QUERIES, widening

MIN_EFFECTIVE = 50.0  # queries of equal weight
MAX_SHARE = 0.05  # of all weight, that one query may have
CLOSE = 0.1  # standard deviation of the weights, below which the target does what the log did
MIN_FREEDOM = 20.0  # of a variance: with fewer, 95 % intervals of simulated logs held the truth in 68 to 92 %
NEGLIGIBLE = 1e-3  # of the policy's queries, without support
SURE = 1 - 1e-9  # a propensity from here on leaves nothing for other LLMs


@dataclass(frozen=True)
class Support:
    """How a target policy lies to a log.

    Attributes:
        n_queries: Different queries in the log.
        effective_sample_size: Queries of equal weight that say as much.
        largest_weight: The largest weight of a step.
        largest_share: The largest share of all weight that one query has; 0 without any weight.
        weight_spread: Standard deviation of the weights of steps.
        mean_weight: 1 where the log may ask all that the target asks.
        never_asked: The target's mean probability of LLMs that the log never asked.
        impossible: The target's mean probability of other LLMs where the log was bound to ask one.
    """

    n_queries: int
    effective_sample_size: float
    largest_weight: float
    largest_share: float
    weight_spread: float
    mean_weight: Interval
    never_asked: float
    impossible: float


def support_of(logged: Logged) -> Support:
    """Return how a target policy lies to a log."""
    weights, n_llms = logged.weights, logged.target.shape[1]
    of_queries = by_query(weights, logged.queries)
    total = of_queries.sum()
    is_asked = np.isin(np.arange(n_llms), logged.action)
    of_others = 1 - np.take_along_axis(logged.target, logged.action[:, None], axis=1)[:, 0]
    return Support(
        n_queries=len(of_queries),
        effective_sample_size=effective_sample_size(logged),
        largest_weight=float(weights.max()),
        largest_share=float(of_queries.max() / total) if total else 0.0,
        weight_spread=float(weights.std()),
        mean_weight=_mean(weights, logged.queries),
        never_asked=float(logged.target[:, ~is_asked].sum(axis=1).mean()),
        impossible=float(np.where(logged.propensity >= SURE, of_others, 0.0).mean()),
    )


def calibration_of(
    action: Ints, propensity: Floats, queries: Ints, n_llms: int, mask: NDArray[np.bool_] | None = None
) -> list[Interval]:
    """Return for each LLM the mean of 1 / propensity where it was asked and 0 elsewhere: 1 if propensities are right.

    Of the probabilities a log has only that of who was asked, so that frequencies cannot be held against them bin by
    bin: a bin of those would hold only what came true. This mean is what they must satisfy: below 1, the LLM was asked
    more rarely than they say; above, more often.

    Args:
        action: Who was asked, shape (n,).
        propensity: With which probability, shape (n,).
        queries: The query of each step, shape (n,).
        n_llms: Number of LLMs.
        mask: Whether each LLM could be asked, shape (n, n_llms), of whose steps only those count; None: all could.
    """
    found = []
    for llm in range(n_llms):
        # Where another was bound to be asked nothing is claimed of this one: that is missing support, not a mistake.
        could = (propensity < SURE) | (action == llm)
        if mask is not None:
            could &= mask[:, llm]
        claimed = np.where(action == llm, 1 / propensity, 0.0)[could]
        found.append(_mean(claimed, queries[could]))
    return found


def warnings_of(support: Support) -> list[str]:
    """Return in words why estimates may be worth little; nothing where they are fine."""
    n, effective = support.n_queries, support.effective_sample_size
    said = []
    if support.never_asked > NEGLIGIBLE:
        said.append(
            f"Support is missing: the policy sends {_percent(support.never_asked)} of its queries to LLMs that the log "
            "never asked. What those get is not in the log: IPS counts it as 0, the model guesses it."
        )
    if support.impossible > NEGLIGIBLE:
        said.append(
            f"Support is missing: {_percent(support.impossible)} of the policy's queries go to an LLM that the logging "
            "policy could not choose there (it chose another with probability 1). No estimate sees what they get."
        )
    if _is_off(support.mean_weight) and max(support.never_asked, support.impossible) <= NEGLIGIBLE:
        low, high = support.mean_weight["low"], support.mean_weight["high"]
        said.append(
            f"The weights average {support.mean_weight['mean']:.2f} [{low:.2f}, {high:.2f}], where 1 is expected: some "
            "of what the policy does was never possible, or the propensities are wrong."
        )
    if support.weight_spread < CLOSE and effective:
        said.append(
            "The policy is too close to the logging policy: the weights hardly differ, so that SNIPS is the log's own "
            "mean, and nothing is learned of another policy."
        )
    if effective < MIN_EFFECTIVE:
        said.append(
            f"The estimates rest on {effective:.0f} effective queries of {n}; with fewer than {MIN_EFFECTIVE:.0f}, "
            "neither they nor their intervals are worth much."
        )
    if support.largest_share > MAX_SHARE and effective:
        said.append(
            f"Weights are extreme: one query has {_percent(support.largest_share)} of all weight (largest weight of a "
            f"step {support.largest_weight:.3g}). IPS and DR hang on it; clipped IPS and switch-DR trade that for bias."
        )
    return said


def calibration_warnings(calibration: Sequence[Interval], llm_names: Sequence[str]) -> list[str]:
    """Return in words which LLMs were asked more rarely or more often than the propensities say."""
    return [
        f"The propensities do not add up for {name}: 1 / propensity where it was asked averages {claimed['mean']:.2f} "
        f"[{claimed['low']:.2f}, {claimed['high']:.2f}] over all steps, 1 is expected. It was asked "
        f"{'more' if claimed['mean'] > 1 else 'less'} often than they say."
        for name, claimed in zip(llm_names, calibration, strict=True)
        if claimed["mean"] is not None and _is_off(claimed)
    ]


def skew_warnings(measures: Mapping[str, Logged]) -> list[str]:
    """Return in words which measures' intervals hang on a few large values, and hold the truth too rarely."""
    said = []
    for name, logged in measures.items():
        sums = by_query(dr(logged).deviations, logged.queries)
        is_alike = np.abs(sums).max() <= ROUNDING * np.abs(logged.value).max()
        if len(sums) > MIN_FREEDOM and not is_alike and freedom(sums) < MIN_FREEDOM:
            said.append(
                f"A few large values make most of the variance of {name}, which is known as badly as from "
                f"{freedom(sums):.0f} queries: such intervals hold the truth in fewer than 95 of 100 logs."
            )
    return said


def _mean(values: Floats, queries: Ints) -> Interval:
    """Return a mean over steps with its interval over queries, where enough of them have anything at all."""
    if not len(values):
        return NOTHING
    mean = float(values.mean())
    sums = by_query(values - mean, queries)
    if len(np.unique(queries[values > 0])) < MIN_QUERIES or not sums.any():
        return {**NOTHING, "mean": mean}
    half = NORMAL * widening(freedom(sums)) * standard_error(sums) * len(sums) / len(values)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _is_off(of_one: Interval) -> bool:
    """Say whether 1 lies outside an interval twice as wide: four standard errors, which chance seldom makes."""
    mean, low, high = of_one["mean"], of_one["low"], of_one["high"]
    if mean is None or low is None or high is None:
        return False
    return abs(mean - 1) > max(high - low, 1e-6)


def _percent(share: float) -> str:
    return f"{share:.1%}"
