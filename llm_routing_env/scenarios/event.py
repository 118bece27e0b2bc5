"""What an event of a scenario is: something that changes what an LLM gives, from a step of a session on."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from llm_routing_env.tables.cells import Cells

LAST_STEP = 10**9  # no session is as long


@dataclass(frozen=True, kw_only=True)
class Event:
    """A change of one LLM.

    Attributes:
        llm: The LLM's name, or what it is in the table: see `roles`.
        step: The first step of a session, from 0, at which it is so.
        until: The first step at which it is over; None: it stays.
    """

    kind: ClassVar[str]
    llm: str
    step: int
    until: int | None = None

    def __post_init__(self) -> None:
        """Check the steps."""
        for name in ("step", "until"):
            value = getattr(self, name)
            if value is None and name == "until":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LAST_STEP:
                raise ValueError(f"{name} must be a whole number, 0 or more, up to {LAST_STEP}, got {value!r:.60}")
        if self.until is not None and self.until <= self.step:
            raise ValueError(f"until must be after step {self.step}, got {self.until}")

    def starts(self) -> list[int]:
        """Return the steps at which something changes."""
        return [self.step, *([] if self.until is None else [self.until])]

    def is_on(self, step: int) -> bool:
        """Return whether it is so at a step."""
        return self.step <= step and (self.until is None or step < self.until)

    def changed(self, cells: Cells, llm: int, step: int) -> Cells:
        """Return the cells of a phase that begins at a step, as it leaves them.

        Args:
            cells: As the events before it left them.
            llm: Which LLM it is about.
            step: Where the phase begins; `is_on` holds there.
        """
        raise NotImplementedError


def with_llm(cells: Cells, llm: int, **values: Any) -> Cells:
    """Return cells with other numbers of one LLM: by the array's name, what broadcasts to (queries, repeats)."""
    arrays: dict[str, Any] = {}
    for name, value in values.items():
        arrays[name] = np.array(getattr(cells, name))
        arrays[name][:, llm] = value
    return replace(cells, **arrays)


def number_within(name: str, value: Any, low: float, high: float) -> float:
    """Return a number if it is one from `low` to `high`, infinity excluded.

    Raises:
        ValueError: It is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or not np.isfinite(value):
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, got {value!r}")
    return float(value)
