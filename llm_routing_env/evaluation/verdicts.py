"""The evidence in words: what the intervals of a comparison show, and what they do not."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from llm_routing_env.evaluation.metrics import ROUNDING
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.statistics import Interval

Metrics = Mapping[str, Interval]


def verdict(metrics: Metrics, best_fixed_llm: str) -> str:
    """Say whether an agent beats always asking the best fixed LLM, and where it does not beat asking at random.

    Args:
        metrics: The agent's, with intervals.
        best_fixed_llm: The best fixed LLM's name.
    """
    reward = _measured(metrics["reward"])
    if reward.high - reward.low <= ROUNDING:
        # One session, or all with the same queries and choices: the interval's width says nothing.
        return "shows nothing: that takes 2 or more sessions that differ from each other"
    gained, over_random = (_measured(metrics[f"reward_minus_{other}"]) for other in ("best_fixed", "random"))
    said = gained.against(f"always {best_fixed_llm}")
    share = metrics["oracle_gap_closed"]["mean"]
    if gained.is_gain and share is not None:
        said += f", {_percent(share)} of the gap to the oracle"
    return said if over_random.is_gain else f"{over_random.against('asking at random')}; {said}"


def headroom(metrics: Mapping[str, Metrics], best_fixed_llm: str) -> str:
    """Say how much there is to gain over the best fixed LLM, and how much of it is gained by knowing the context.

    Args:
        metrics: The references', with intervals.
        best_fixed_llm: The best fixed LLM's name.
    """
    means = {name: metrics[name]["reward"]["mean"] for name in (BEST_FIXED, CONTEXT_BEST, ORACLE)}
    rewards = (
        f"best fixed LLM ({best_fixed_llm}) {means[BEST_FIXED]:.3f}, per-context best {means[CONTEXT_BEST]:.3f}, "
        f"per-query oracle {means[ORACLE]:.3f}"
    )
    gain, by_context = (_measured(metrics[name]["reward_minus_best_fixed"]) for name in (ORACLE, CONTEXT_BEST))
    if gain.high <= ROUNDING:
        return f"No headroom: {rewards}. No agent can beat always {best_fixed_llm} here."
    if not gain.is_gain:
        return f"No headroom shows in so few sessions: {rewards}. The oracle's gain is {gain}."
    share = metrics[CONTEXT_BEST]["oracle_gap_closed"]["mean"]
    closed = f"{_percent(share)} of the gap to the oracle" if share is not None and by_context.is_gain else "none of it"
    return f"Headroom: {rewards}. Knowing the context closes {closed}."


class _Measured(NamedTuple):
    """A mean, of rewards or of their differences, and its interval."""

    mean: float
    low: float
    high: float

    @property
    def is_gain(self) -> bool:
        return self.low > ROUNDING

    def against(self, other: str) -> str:
        """Say how it compares with `other`."""
        if self.is_gain:
            return f"beats {other} by {self}"
        if self.high < -ROUNDING:
            return f"worse than {other} by {_Measured(-self.mean, -self.high, -self.low)}"
        return f"no better than {other}: the difference is {self}"

    def __str__(self) -> str:
        """Show 2 decimals, or as many as the width and the bounds need to be seen."""
        sizes = [size for size in (self.high - self.low, abs(self.low), abs(self.high)) if size > ROUNDING]
        decimals = max([2, *(-math.floor(math.log10(size)) for size in sizes)])
        return f"{self.mean:z.{decimals}f} [{self.low:z.{decimals}f}, {self.high:z.{decimals}f}]"


def _measured(interval: Interval) -> _Measured:
    mean, low, high = interval["mean"], interval["low"], interval["high"]
    if mean is None or low is None or high is None:
        raise ValueError("There is no verdict without rewards: the sessions have none.")
    return _Measured(mean, low, high)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"
