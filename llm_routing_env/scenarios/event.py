"""What an event of a scenario is: something that changes sessions, from a step on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.tables.cells import Cells

LAST_STEP = 10**9  # no session is as long
STAGES = 10  # of a gradual change: each holds as many numbers as the table
Topics = Mapping[str, float]  # which share of the queries comes from another context than the session's own
Step = int | Sequence[int]
# What is recorded, then what of it is true in a phase, then what of that is told: in whatever order they are listed.
OUTCOMES, TRUTH, TOLD = range(3)


@dataclass(frozen=True, kw_only=True)
class Event:
    """A change.

    Attributes:
        step: The first step of a session, from 0, at which it is so; [low, high]: drawn per session, both included.
        until: The first step at which it is over, or a range of them; None: it stays.
    """

    kind: ClassVar[str]
    rank: ClassVar[int] = TRUTH
    step: Step
    until: Step | None = None

    def __post_init__(self) -> None:
        """Check the steps."""
        _, latest = bounds("step", self.step)
        if self.until is not None and bounds("until", self.until)[0] <= latest:
            raise ValueError(f"until must be after step {latest}, got {self.until}")

    def at_latest(self) -> "Event":
        """Return the event of a session in which every step that is drawn is the last it can be."""
        until = None if self.until is None else bounds("until", self.until)[1]
        return replace(self, step=bounds("step", self.step)[1], until=until)

    def starts(self) -> list[int]:
        """Return the steps at which something changes, but for its end. It has to be `at_latest`."""
        return [self._first]

    def is_on(self, step: int) -> bool:
        """Return whether it is so at a step. It has to be `at_latest`."""
        return self._first <= step and (self.until is None or step < bounds("until", self.until)[1])

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells of a phase that begins at a step, as it leaves them.

        Args:
            cells: As the events before it left them.
            llms: Which LLM it is about, or all.
            step: Where the phase begins; `is_on` holds there.
            rng: Draws what it draws: the same in every phase, and other things than any other event.

        Raises:
            ValueError: The table lacks what it needs.
        """
        return cells

    def mixed(self, topics: Topics, step: int) -> Topics:
        """Return where the queries of a phase come from, as it leaves it; arguments as of `changed`."""
        return topics

    @property
    def _first(self) -> int:
        return bounds("step", self.step)[1]


@dataclass(frozen=True, kw_only=True)
class LLMEvent(Event):
    """A change of one LLM.

    Attributes:
        llm: The LLM's name, or what it is in the table: see `roles`.
    """

    llm: str

    def __post_init__(self) -> None:
        """Check the name's type."""
        super().__post_init__()
        if not isinstance(self.llm, str):
            raise ValueError(f"llm must be a name, got {self.llm!r:.60}")


@dataclass(frozen=True, kw_only=True)
class GradualEvent(Event):
    """A change that may take its time.

    Attributes:
        over: How many steps it takes to get there, in up to `STAGES` stages; 0: at once.
    """

    over: int = 0

    def __post_init__(self) -> None:
        """Check the time it takes."""
        super().__post_init__()
        if not is_whole(self.over):
            raise ValueError(f"over must be a whole number of steps, 0 or more, got {self.over!r:.60}")

    def starts(self) -> list[int]:
        """Return where stages begin: the last after `over` steps, with the whole change."""
        begins = np.linspace(0, self.over, min(STAGES, self.over + 1)).astype(int)
        return [self._first + int(begin) for begin in np.unique(begins)]

    def share(self, step: int) -> float:
        """Return how much of it has come about at a step, above 0 to 1."""
        stages = self.starts()
        return sum(begin <= step for begin in stages) / len(stages)


def known(cells: Cells, name: str, llms: int | slice) -> NDArray[np.float64]:
    """Return what is recorded of an LLM by the array's name, shape (queries, repeats).

    Raises:
        ValueError: Nothing is.
    """
    values: NDArray[np.float64] = getattr(cells, name)[:, llms]
    if np.isnan(values).all():
        raise ValueError(f"the table has no {name} of it, so there is nothing to change")
    return values


def with_llm(cells: Cells, llms: int | slice, **values: Any) -> Cells:
    """Return cells with other numbers of one LLM, or of all: by the array's name, what broadcasts to its part."""
    arrays: dict[str, Any] = {}
    for name, value in values.items():
        arrays[name] = np.array(getattr(cells, name))
        arrays[name][:, llms] = value
    return replace(cells, **arrays)


def with_told(cells: Cells, llms: int | slice, told: NDArray[np.float64]) -> Cells:
    """Return cells of which another accuracy is told, shape (queries, LLMs, repeats); a call that failed is seen to."""
    before = cells.as_told.accuracy
    return with_llm(replace(cells, told=before), llms, told=np.where(cells.failed, before, told)[:, llms])


def bounds(name: str, step: Any) -> tuple[int, int]:
    """Return the first and the last step that a step may be.

    Raises:
        ValueError: It is neither a step nor two.
    """
    if is_whole(step):
        return step, step
    if isinstance(step, list | tuple) and len(step) == 2 and all(map(is_whole, step)) and step[0] <= step[1]:
        return step[0], step[1]
    expected = f"a whole number, 0 or more, up to {LAST_STEP}, or [low, high] of them"
    raise ValueError(f"{name} must be {expected}, got {step!r:.60}")


def is_whole(value: Any) -> bool:
    """Return whether it is a number of steps."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LAST_STEP


def check_seed(seed: Any) -> None:
    """Raise ValueError unless it is a seed."""
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or more, got {seed!r}")


def number_within(name: str, value: Any, low: float, high: float) -> float:
    """Return a number if it is one from `low` to `high`, infinity excluded.

    Raises:
        ValueError: It is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or not np.isfinite(value):
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
    return float(value)
