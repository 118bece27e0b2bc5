"""Units of somebody's latencies and costs, and what looks like another unit."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name

LATENCY_UNITS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0}
# The "per" units are of a call: dollars of 1,000 calls, or of a million.
COST_UNITS: Mapping[str, float] = {"usd": 1.0, "cent": 1e-2, "usd_per_1k": 1e-3, "usd_per_1m": 1e-6}
# Words in a column's name that say another unit than ours.
_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "latency_s": {
        "ms": ("ms", "msec", "msecs", "millis", "millisec", "millisecs", "millisecond", "milliseconds"),
        "us": ("us", "usec", "usecs", "micros", "microsecond", "microseconds"),
        "ns": ("ns", "nanos", "nanosecond", "nanoseconds"),
        "min": ("min", "mins", "minute", "minutes"),
    },
    "cost_usd": {
        "cent": ("cent", "cents"),
        "usd_per_1k": ("1k", "1000", "thousand"),
        "usd_per_1m": ("1m", "1000000", "million"),
    },
}
_PARTS = re.compile(r"[^a-zA-Z0-9]+|(?<=[a-z])(?=[A-Z])")
UNIT_FLAGS = {"latency_s": "--latency-unit", "cost_usd": "--cost-unit"}
_UNITS = {"latency_s": LATENCY_UNITS, "cost_usd": COST_UNITS}
# Medians that no call to an LLM is known to have: in seconds and in dollars.
_SLOWEST, _FASTEST, _DEAREST = 300.0, 1e-3, 1.0
_TIME_OF_DAY = 9e8  # seconds since 1970, of 1998 and later


def factor_of(path: Path, role: str, unit: str | None, column: str) -> float:
    """Return what a column's numbers are multiplied by.

    Args:
        path: For messages.
        role: "latency_s" or "cost_usd".
        unit: What the flag says; None: nothing.
        column: Its name, which may say another unit.

    Raises:
        ValueError: The unit is unknown, or only the name says one.
    """
    units = _UNITS[role]
    if unit is not None:
        if unit not in units:
            raise unknown_name(f"unit for {UNIT_FLAGS[role]}", unit, units)
        return units[unit]
    said = {part.lower() for part in _PARTS.split(column)}
    other = next((name for name, words in _WORDS[role].items() if said & set(words)), None)
    if other:
        ours = next(iter(units))
        flag = UNIT_FLAGS[role]
        raise ValueError(
            f"{path}: column {column!r} looks like {other}: give {flag} {other}, or {flag} {ours} if it is not."
        )
    return 1.0


def doubt_of(role: str, values: NDArray[np.float64], unit: str | None) -> str:
    """Return what is odd about numbers in seconds or dollars, by their median; "" if nothing is.

    Args:
        role: "latency_s" or "cost_usd".
        values: NaN where empty.
        unit: What they were in.
    """
    known = values[~np.isnan(values)]
    middle = float(np.median(known)) if len(known) else 0.0
    if role == "cost_usd":
        looks = ("dollars of 1,000 calls, or cents", "usd_per_1k") if middle > _DEAREST else None
        shown = f"cost of a call, ${middle:.3g},"
    else:
        looks = _latency_looks(middle, middle / LATENCY_UNITS[unit or "s"])
        shown = f"latency, {middle:.3g} s,"
    if looks is None:
        return ""
    fix = f"; {UNIT_FLAGS[role]} {looks[1]} says so" if looks[1] else ""
    return f"The median {shown} looks like {looks[0]}{fix}."


def _latency_looks(middle_s: float, raw: float) -> tuple[str, str] | None:
    if raw > _TIME_OF_DAY:
        return "a time of day, not like how long a call took", ""
    if middle_s > _SLOWEST:
        return "milliseconds", "ms"
    return ("minutes", "min") if 0 < middle_s < _FASTEST else None
