"""A statistic with its 95 % interval, and how the two are written down."""

from typing import TypedDict

ROUNDING = 1e-9  # smaller differences of rewards are none


class Interval(TypedDict):
    """A statistic (the key "mean") and its 95 % interval; None where it is not known."""

    mean: float | None
    low: float | None
    high: float | None


NOTHING: Interval = {"mean": None, "low": None, "high": None}


def shown(value: Interval, form: str = ".3f", factor: float = 1.0) -> str:
    """Return "mean [low, high]", without an interval that is not known or has no width; a dash without a mean."""
    mean, bounds = value["mean"], bounds_shown(value, form, factor)
    return "–" if mean is None else number(mean * factor, form) + (f" {bounds}" if bounds else "")


def bounds_shown(value: Interval, form: str = ".3f", factor: float = 1.0) -> str:
    """Return "[low, high]"; nothing for an interval that is not known or has no width."""
    low, high = value["low"], value["high"]
    if low is None or high is None:
        return ""
    ends = [number(end * factor, form) for end in (low, high)]
    return "" if ends[0] == ends[1] else f"[{', '.join(ends)}]"


def published(value: Interval) -> Interval:
    """Return a statistic as files hold it: without an interval that has no width."""
    low, high = value["low"], value["high"]
    if low is None or high is None or high - low <= ROUNDING * max(abs(low), abs(high)):
        return {**NOTHING, "mean": value["mean"]}
    return value


def number(value: float, form: str) -> str:
    """Return a number in a format, without a minus before a zero."""
    sign = "+" if form.startswith("+") else ""
    return format(value, f"{sign}z{form.removeprefix('+')}")
