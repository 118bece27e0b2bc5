"""Times several things against each other: interleaved, each in its best run, since the machine may be shared."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Run = Callable[[], Any]


@dataclass(frozen=True)
class Timed:
    """One thing to time.

    Attributes:
        labels: What it is, as the keys of its row.
        pulls: How many pulls one run makes.
        prepare: Returns the run; timed apart, as the reset.
    """

    labels: dict[str, Any]
    pulls: int
    prepare: Callable[[], Run]


def race(field: Sequence[Timed], runs: int) -> list[dict[str, Any]]:
    """Run everything `runs` times in turn; return a row for each.

    Returns:
        For each thing its labels, `pulls_per_s` and `reset_s` of its best run, and `median_pulls_per_s`.
    """
    seconds: list[list[tuple[float, float]]] = [[] for _ in field]
    for _ in range(runs):
        for timed, times in zip(field, seconds, strict=True):
            start = time.perf_counter()
            run = timed.prepare()
            middle = time.perf_counter()
            run()
            times.append((middle - start, time.perf_counter() - middle))
    return [_row(timed, *zip(*times, strict=True)) for timed, times in zip(field, seconds, strict=True)]


def _row(timed: Timed, resets: tuple[float, ...], routings: tuple[float, ...]) -> dict[str, Any]:
    return timed.labels | {
        "pulls_per_s": timed.pulls / min(routings),
        "median_pulls_per_s": timed.pulls / statistics.median(routings),
        "reset_s": min(resets),
    }
