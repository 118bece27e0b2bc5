"""Numbers that must be whole: counts, seeds."""

from __future__ import annotations

import numpy as np


def is_whole(value: object, least: int) -> bool:
    """Return whether a value is a whole number, at least so much; a truth value is none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= least)


def require_whole(name: str, value: object, least: int) -> None:
    """Raise ValueError unless a value is a whole number, at least so much."""
    if not is_whole(value, least):
        raise ValueError(f"{name} must be {least} or more and a whole number, got {value!r}.")
