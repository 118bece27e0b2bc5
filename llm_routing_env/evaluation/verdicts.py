"""The evidence in words: what the intervals of a comparison show, and what they do not."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from llm_routing_env.evaluation.intervals import ROUNDING, Interval, shown
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.statistics import MIN_QUERIES

Metrics = Mapping[str, Interval]


MIN_SESSIONS = 10  # fewer give intervals that hold too seldom
MIN_SHARE = 0.01  # of the gap to the oracle: a smaller gain is none that anyone would act on


def verdict(
    metrics: Metrics, best_fixed_llm: str, chosen_fixed_llm: str, n_sessions: int | None, *, are_lives: bool = False
) -> str:
    """Say whether an agent beats always asking the best fixed LLM, and where it does not beat asking at random.

    It beats the LLM that is best in hindsight, or it beats none. It is worse than the LLM that was chosen elsewhere, or
    no better: of many equal LLMs one is always best in hindsight, which is nobody's fault.

    Args:
        metrics: The agent's, with intervals.
        best_fixed_llm: The name of the LLM that is best in hindsight.
        chosen_fixed_llm: The name of the LLM that is best on the other split.
        n_sessions: Per context, where the intervals speak of sessions too; None where they do not.
        are_lives: Whether it is lifetimes that they speak of, and their number.
    """
    if n_sessions is not None and n_sessions < MIN_SESSIONS:
        return f"no verdict: {_counted(n_sessions, are_lives)}, and intervals of fewer than {MIN_SESSIONS} mislead"
    names = ("best_fixed", "chosen_fixed", "random")
    gained, over_chosen, over_random = (_measured(metrics[f"reward_minus_{name}"]) for name in names)
    if gained is None or over_chosen is None or over_random is None:
        return f"shows nothing: that takes {MIN_QUERIES} or more queries in every context"
    said = gained.against(f"always {best_fixed_llm}", metrics["oracle_gap_closed"]["mean"])
    if gained.is_loss:
        said = (
            over_chosen.against(f"always {chosen_fixed_llm}")
            if over_chosen.is_loss
            else gained.undecided(f"always {best_fixed_llm}")
        )
    return said if over_random.is_gain else f"{over_random.against('asking at random')}; {said}"


def is_clear_gain(metrics: Metrics, n_sessions: int | None = None) -> bool:
    """Return whether an agent's lead over the best fixed LLM clears 0 and is worth a hundredth of the gap.

    Args:
        metrics: The agent's, with intervals.
        n_sessions: See `verdict`.
    """
    gained, share = _measured(metrics["reward_minus_best_fixed"]), metrics["oracle_gap_closed"]["mean"]
    is_shown = n_sessions is None or n_sessions >= MIN_SESSIONS
    return is_shown and gained is not None and gained.is_gain and share is not None and share >= MIN_SHARE


def no_verdict(down_llms: Sequence[str]) -> str:
    """Say why nothing may be concluded where live LLMs did not answer: who asks them less is no better for it."""
    return f"no verdict: nearly every call of {', '.join(down_llms)} failed"


def paired_verdict(
    difference: Interval, other: str, gap: float | None, n_sessions: int | None, *, are_lives: bool = False
) -> str:
    """Say how an agent compares with another one.

    Args:
        difference: Of their rewards, the first minus the second.
        other: The second one's name.
        gap: Between the best fixed LLM and the oracle: a lead of less than a hundredth of it is none.
        n_sessions: See `verdict`.
        are_lives: See `verdict`.
    """
    if n_sessions is not None and n_sessions < MIN_SESSIONS:
        return f"no verdict: {_counted(n_sessions, are_lives)}"
    measured = _measured(difference)
    if measured is None:
        return "shows nothing"
    return measured.against(other, measured.mean / gap if gap and gap > ROUNDING else None)


def headroom(metrics: Mapping[str, Metrics], best_fixed_llm: str, chosen_fixed_llm: str) -> str:
    """Say how much there is to gain over the best fixed LLM, and how much of it is gained by knowing the context.

    Args:
        metrics: The references', with intervals.
        best_fixed_llm: The name of the LLM that is best in hindsight.
        chosen_fixed_llm: The name of the LLM that is best on the other split.
    """
    names = (CHOSEN_FIXED, BEST_FIXED, CONTEXT_BEST, ORACLE)
    means = {name: metrics[name]["reward"]["mean"] for name in names}
    rewards = (
        f"best fixed LLM {means[BEST_FIXED]:.3f} in hindsight ({best_fixed_llm}), {means[CHOSEN_FIXED]:.3f} chosen on "
        f"the other split ({chosen_fixed_llm}); per-context best {means[CONTEXT_BEST]:.3f}, per-query oracle "
        f"{means[ORACLE]:.3f}"
    )
    gain, by_context = (_measured(metrics[name]["reward_minus_best_fixed"]) for name in (ORACLE, CONTEXT_BEST))
    if gain is None or by_context is None:
        return f"Too few queries to show headroom: {rewards}."
    if gain.high <= ROUNDING:
        return f"No headroom: {rewards}. No agent can beat always {best_fixed_llm} here."
    if not gain.is_gain:
        return f"No headroom shows in so few queries: {rewards}. The oracle's gain is {gain}."
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
        return self.low > ROUNDING and not self.has_no_width

    @property
    def is_loss(self) -> bool:
        return self.high < -ROUNDING and not self.has_no_width

    @property
    def has_no_width(self) -> bool:
        """Whether all that was resampled is alike: what happens rarely was not seen, and nothing says how rarely."""
        return self.high - self.low <= ROUNDING * max(abs(self.low), abs(self.high))

    def against(self, other: str, share: float | None = None) -> str:
        """Say how it compares with `other`; `share` is its own of the gap to the oracle."""
        if self.is_gain and share is not None and share < MIN_SHARE:
            return f"no better than {other} in practice: {self} more, less than 1 % of the gap to the oracle"
        if self.is_gain:
            return f"beats {other} by {self}" + (f", {_percent(share)} of the gap to the oracle" if share else "")
        if self.is_loss:
            return f"worse than {other} by {_Measured(-self.mean, -self.high, -self.low)}"
        return self.undecided(other)

    def undecided(self, other: str) -> str:
        """Say that it is no better than `other`, and by how much the two differ."""
        if self.high - self.low <= ROUNDING and abs(self.mean) <= ROUNDING:
            return f"no better than {other}: the same reward on every query"
        if self.has_no_width:
            return f"no verdict against {other}: {self} on every query alike, which says nothing of others"
        return f"no better than {other}: the difference is {self}"

    def __str__(self) -> str:
        """Show 2 decimals, or as many as the width and the bounds need to be seen."""
        sizes = [size for size in (self.high - self.low, abs(self.low), abs(self.high)) if size > ROUNDING]
        decimals = max([2, *(-math.floor(math.log10(size)) for size in sizes)])
        return shown(self._asdict(), f".{decimals}f")  # type: ignore[arg-type]


def _measured(interval: Interval) -> _Measured | None:
    mean, low, high = interval["mean"], interval["low"], interval["high"]
    return None if mean is None or low is None or high is None else _Measured(mean, low, high)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def _counted(n_sessions: int, are_lives: bool) -> str:
    unit, where = ("lifetime", "") if are_lives else ("session", " per context")
    return f"{n_sessions} {unit}{'' if n_sessions == 1 else 's'}{where}"
