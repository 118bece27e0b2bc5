"""Numbers per session: arrays of shape (sessions,), or plain numbers, with which the same rule is ten times faster.

A number is plain where there is one session, or as long as it is every session's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
PerSession = Any


def plain(numbers: PerSession) -> PerSession:
    """Return the number that an array of one holds; a longer array, or what is a number already, as it is."""
    return numbers.item() if isinstance(numbers, np.ndarray) and numbers.size == 1 else numbers


def how_many(condition: PerSession) -> int:
    """Return in how many sessions a condition holds."""
    return int(np.count_nonzero(condition)) if isinstance(condition, np.ndarray) else int(condition)


def minimum(first: PerSession, second: PerSession) -> PerSession:
    """Return the lower of two numbers, session by session."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.minimum(first, second)
    return first if first < second else second


def maximum(first: PerSession, second: PerSession) -> PerSession:
    """Return the higher of two numbers, session by session."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.maximum(first, second)
    return first if first > second else second


class SessionArray:
    """A number for each session.

    Attributes:
        now: The numbers, shape (sessions,); a plain number as long as it is the same in all sessions.
    """

    def __init__(self, n_sessions: int, value: float) -> None:
        """Start with the same number in all sessions."""
        self.now: PerSession = value
        self._like = np.full(n_sessions, value)

    def fall_to(self, numbers: PerSession) -> None:
        """Lower what is above the given numbers to them."""
        if isinstance(self.now, np.ndarray):
            np.minimum(self.now, numbers, out=self.now)
        else:
            self.now = minimum(self.now, numbers)

    def rise_to(self, numbers: PerSession) -> None:
        """Raise what is below the given numbers to them."""
        if isinstance(self.now, np.ndarray):
            np.maximum(self.now, numbers, out=self.now)
        else:
            self.now = maximum(self.now, numbers)

    @property
    def array(self) -> NDArray[Any]:
        """The numbers, shape (sessions,)."""
        return np.full_like(self._like, self.now)

    @array.setter
    def array(self, array: NDArray[Any]) -> None:
        self.now = array[0].item() if (array == array[0]).all() else array.copy()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.array.astype(dtype or self._like.dtype)


def column(numbers: PerSession) -> PerSession:
    """Return numbers per session as they stand beside an array of shape (sessions, arms)."""
    return numbers[:, None] if isinstance(numbers, np.ndarray) else numbers
