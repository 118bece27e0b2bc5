"""What an estimate is made from: what was logged, and what another policy would have done. Arrays only."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Logged:
    """One measure of logged bandit feedback beside a target policy; n steps, k LLMs.

    Attributes:
        value: What the LLM that was asked got, shape (n,): a reward, an accuracy, a cost, a latency.
        action: That LLM, shape (n,).
        propensity: The probability with which it was chosen, above 0 and at most 1, shape (n,).
        target: The target policy's probability of each LLM, shape (n, k).
        queries: The query of each step, as numbers; steps of one query are no independent evidence. Shape (n,).
        model: A reward model's prediction for each LLM, shape (n, k).
        is_bounded: Whether values of 0 and 1 are wrong and right answers; not where they may be above 1: a cost that is
            always 0 is no share of anything.
    """

    value: Floats
    action: Ints
    propensity: Floats
    target: Floats
    queries: Ints
    model: Floats
    is_bounded: bool = True

    @cached_property
    def weights(self) -> Floats:
        """How much likelier the target is than the logging policy to ask whom was asked, shape (n,)."""
        return np.asarray(self._of_action(self.target) / self.propensity)

    @cached_property
    def residuals(self) -> Floats:
        """What was got beyond what the model predicts, shape (n,)."""
        return np.asarray(self.value - self._of_action(self.model))

    @cached_property
    def predicted(self) -> Floats:
        """What the model predicts of the target policy, shape (n,)."""
        return np.asarray((self.target * self.model).sum(axis=1))

    def _of_action(self, of_llms: Floats) -> Floats:
        return np.asarray(np.take_along_axis(of_llms, self.action[:, None], axis=1)[:, 0])


class Estimate(NamedTuple):
    """An estimate, and how far each step moves it: the mean of terms less itself, or a ratio's linearisation.

    Attributes:
        mean: The estimate.
        deviations: They sum to 0, shape (n,); the estimate's error is about the mean of their like in other logs.
    """

    mean: float
    deviations: Floats


def mean_of(terms: Floats) -> Estimate:
    """Return the mean of a term per step."""
    mean = float(terms.mean())
    return Estimate(mean, terms - mean)


def weighted_mean_of(terms: Floats, weights: Floats) -> Estimate:
    """Return the mean by weight, NaN where there is no weight at all; linearised as a ratio of two means."""
    total = weights.sum()
    if total == 0:
        return Estimate(math.nan, np.full_like(terms, math.nan))
    mean = float((weights * terms).sum() / total)
    return Estimate(mean, weights * (terms - mean) * len(terms) / total)
