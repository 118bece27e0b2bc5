"""How much slower an LLM answers the more requests it has at once: measured points, and the curve through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llm_routing_env.tables.table import OutcomeTable

MOST_IN_FLIGHT = 1_000_000
_LATENCIES_S = (1e-6, 1e6)


@dataclass(frozen=True)
class LoadCurve:
    """The latency of one LLM by its requests in flight, relative to that of a request alone.

    Linear between the measured points. Beyond the last one it goes on with the slope of the last piece: an engine that
    is full serves in turn. More load makes nothing faster, so a point below the one before it is noise: the points
    are taken by their running maximum, and a slowdown is never below 1.

    Attributes:
        concurrency: Requests in flight at each measured point, from 1, rising.
        latency_s: Median latency there, in seconds.

    Example:
        >>> curve = LoadCurve((1, 4, 16), (0.1, 0.2, 0.5))
        >>> curve.slowdown([1, 10, 28]).tolist()
        [1.0, 3.5, 8.0]
    """

    concurrency: tuple[int, ...]
    latency_s: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the points.

        Raises:
            ValueError: The loads are none, see `check_loads`, or not every one has a latency.
        """
        check_loads(self.concurrency)
        low, high = _LATENCIES_S
        if len(self.latency_s) != len(self.concurrency) or not all(map(_is_latency, self.latency_s)):
            raise ValueError(
                f"latency_s must be {len(self.concurrency)} numbers from {low:g} to {high:g}, "
                f"one for each concurrency; got {list(self.latency_s)}."
            )

    def slowdown(self, load: ArrayLike) -> NDArray[np.float64]:
        """Return how many times longer a request takes with `load` in flight than alone; any shape."""
        at, factors = np.asarray(load, dtype=np.float64), self.factors
        slope = (factors[-1] - factors[-2]) / (self.concurrency[-1] - self.concurrency[-2])
        beyond = np.maximum(at - self.concurrency[-1], 0.0)
        return np.asarray(np.interp(at, self.concurrency, factors) + slope * beyond)

    @cached_property
    def factors(self) -> NDArray[np.float64]:
        """The slowdown at each measured point."""
        factors: NDArray[np.float64] = np.maximum.accumulate(self.latency_s) / self.latency_s[0]
        return factors


def load_curves(table: OutcomeTable) -> tuple[LoadCurve, ...]:
    """Return the load curve of each of a table's LLMs, in action order, from its metadata.

    Raises:
        ValueError: The table has none, or none that can be used; names the command that measures them.
    """
    check_recorded_alone(table)
    command = f"`pickllm load-curve {table.path or 'TABLE'}`"
    measured: Any = table.metadata.get("load_curve")
    if measured is None:
        raise ValueError(f"The table {table.path} has no load curve: serve its pool and measure one with {command}.")
    try:
        points = [measured["llms"][name] for name in table.llm_names]
        return tuple(LoadCurve(tuple(of["concurrency"]), tuple(of["latency_s"])) for of in points)
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"The load curve of the table {table.path} cannot be used ({type(error).__name__}: {error}): "
            f"measure it anew with {command}."
        ) from error


def check_loads(loads: Sequence[Any]) -> None:
    """Raise ValueError unless these are numbers of requests in flight to measure at: 1 and more, rising."""
    are_loads = all(type(load) is int and 1 <= load <= MOST_IN_FLIGHT for load in loads)
    if len(loads) < 2 or not are_loads or loads[0] != 1 or not all(a < b for a, b in pairwise(loads)):
        raise ValueError(
            f"concurrency must be two whole numbers or more, rising from 1 to at most {MOST_IN_FLIGHT}, "
            f"got {list(loads)}."
        )


def check_recorded_alone(table: OutcomeTable) -> None:
    """Raise ValueError if the table's latencies contain load already: a curve is relative to a request alone."""
    concurrency = table.metadata.get("concurrency", 1)
    if concurrency != 1:
        raise ValueError(
            f"The table {table.path} was recorded with {concurrency!r} requests in flight, so its latencies are under "
            "load already: record it with --concurrency 1."
        )


def _is_latency(value: Any) -> bool:
    return type(value) in (int, float) and _LATENCIES_S[0] <= value <= _LATENCIES_S[1]
