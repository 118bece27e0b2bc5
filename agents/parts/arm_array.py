"""Numbers per session and arm with which a rule reads as the textbook writes it: ``p *= 1 - step; p[action] += step``.

What has to do with memory and with the speed of one session is here and in `session_array`, and nowhere else. Sessions
are many and arms few, so numbers lie in memory arm by arm: numpy then reduces over the arms several times faster. And
where there is one session they are plain Python numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise, repeat
from typing import Any, Self

import numpy as np

from llm_routing_env.agents.parts.session_array import BoolArray, FloatArray, IntArray, PerSession, how_many, plain


class ArmArray:
    """A number for each arm of each session.

    ``p *= x``, ``p += x`` and ``p -= x`` take a number per session for all of its arms, or another array; ``p[action]``
    is the number of the arm that each session asked. Numbers per session have the shape (sessions,), those of one
    session are plain.
    """

    def __init__(self, array: FloatArray) -> None:
        """Hold an array of shape (sessions, arms)."""
        self.array = array

    @property
    def array(self) -> FloatArray:
        """The numbers, shape (sessions, arms): to be read; rules change them by the operations."""
        array: FloatArray = self._by_arm.T
        return array

    @array.setter
    def array(self, array: FloatArray) -> None:
        self._by_arm = np.ascontiguousarray(array.T)
        self._flat = self._by_arm.reshape(-1)

    def __getstate__(self) -> FloatArray:
        return self.array  # a copy of the two views of it would be two arrays

    def __setstate__(self, array: FloatArray) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> FloatArray:
        return np.array(self.array, dtype=dtype, copy=copy)

    def __getitem__(self, action: IntArray) -> PerSession:
        return self._flat.take(_cells(action))  # a third less time than with brackets

    def __setitem__(self, action: IntArray, numbers: PerSession) -> None:
        self._flat[_cells(action)] = numbers

    def __imul__(self, factor: PerSession) -> Self:
        self._by_arm *= factor
        return self

    def __iadd__(self, other: PerSession | ArmArray) -> Self:
        self._by_arm += _by_arm(other)
        return self

    def __isub__(self, other: PerSession | ArmArray) -> Self:
        self._by_arm -= _by_arm(other)
        return self

    def max(self) -> PerSession:
        """Return each session's highest number."""
        return self._by_arm.max(axis=0)

    def argmax(self) -> PerSession:
        """Return the first arm with each session's highest number."""
        # Arm by arm: numpy's argmax takes up to four times as long.
        is_worse = self._by_arm != self._by_arm.max(axis=0)
        for before, arm in pairwise(is_worse):
            arm &= before
        return is_worse.sum(axis=0)

    def greedy(self, epsilon: PerSession = 0.0, allowed: BoolArray | None = None) -> ArmArray:
        """Return 1 - epsilon times the uniform distribution over the best arms, plus epsilon times that over all.

        Args:
            epsilon: From 0 to 1, one number per session.
            allowed: Arms that count, shape (sessions, arms), at least one per session; None: all do.
        """
        scores = self._by_arm if allowed is None else np.where(allowed.T, self._by_arm, -np.inf)
        best = scores == scores.max(axis=0)
        if allowed is not None:
            best &= allowed.T
        mixture: FloatArray = best.astype(np.float64)
        mixture /= mixture.sum(axis=0)
        if how_many(epsilon != 0):
            mixture *= 1 - epsilon
            mixture += epsilon / len(best) if allowed is None else epsilon / allowed.sum(axis=1) * allowed.T
        return ArmArray(mixture.T)

    def sample(self, rng: Any) -> PerSession:
        """Draw an arm per session, its numbers being the arms' weights, by inverse distribution function.

        Args:
            rng: Gives one uniform number per session.

        Returns:
            One arm per session; one of weight 0 is never drawn.
        """
        # Arm by arm: numpy's cumsum along so short an axis takes three times as long.
        cumulative = self._by_arm.copy()
        for before, arm in pairwise(cumulative):
            arm += before
        # u < 1 keeps u * total below the total in floating point too: the last arm needs no comparison.
        threshold = rng.random(cumulative.shape[1]) * cumulative[-1]
        return (cumulative[:-1] <= threshold).sum(axis=0)


class OneSession(ArmArray):
    """The same for one session, in plain numbers."""

    def __init__(self, numbers: list[float]) -> None:
        """Hold one number per arm."""
        self._numbers = numbers

    @property
    def array(self) -> FloatArray:
        """See `ArmArray`."""
        return np.array([self._numbers])

    @array.setter
    def array(self, array: FloatArray) -> None:
        (self._numbers,) = array.tolist()

    def __getitem__(self, action: IntArray) -> float:
        return self._numbers[action.item()]

    def __setitem__(self, action: IntArray, numbers: PerSession) -> None:
        self._numbers[action.item()] = plain(numbers)

    def __imul__(self, factor: PerSession) -> Self:
        x = plain(factor)
        self._numbers = [number * x for number in self._numbers]
        return self

    def __iadd__(self, other: PerSession | ArmArray) -> Self:
        self._numbers = [mine + theirs for mine, theirs in zip(self._numbers, _numbers(other), strict=False)]
        return self

    def __isub__(self, other: PerSession | ArmArray) -> Self:
        self._numbers = [mine - theirs for mine, theirs in zip(self._numbers, _numbers(other), strict=False)]
        return self

    def max(self) -> float:
        """See `ArmArray`."""
        return max(self._numbers)

    def argmax(self) -> int:
        """See `ArmArray`."""
        return self._numbers.index(max(self._numbers))

    def greedy(self, epsilon: PerSession = 0.0, allowed: BoolArray | None = None) -> ArmArray:
        """See `ArmArray`."""
        if allowed is not None:
            return by_session(ArmArray(self.array).greedy(epsilon, allowed).array)
        epsilon = plain(epsilon)
        top, everywhere = max(self._numbers), epsilon / len(self._numbers)
        best = (1 - epsilon) / self._numbers.count(top) + everywhere
        return OneSession([best if number == top else everywhere for number in self._numbers])

    def sample(self, rng: Any) -> int:
        """See `ArmArray`."""
        cumulative = list(accumulate(self._numbers))
        return bisect_right(cumulative, rng.random() * cumulative[-1])


def by_session(array: FloatArray | ArmArray) -> ArmArray:
    """Return an array of shape (sessions, arms) with the operations of `ArmArray`."""
    if isinstance(array, ArmArray):
        return array
    return OneSession(array[0].tolist()) if len(array) == 1 else ArmArray(array)


def per_arm(n_sessions: int, n_actions: int, value: float) -> ArmArray:
    """Return one number everywhere."""
    return by_session(np.full((n_sessions, n_actions), value, dtype=np.float64))


def _cells(action: IntArray) -> IntArray:
    """Return where a flat array, which lies arm by arm, has each session's arm."""
    # One index per number is four times faster than a pair, and a rule asks for the same ones several times.
    global _last_asked
    asked, cells, rows = _last_asked
    if asked is not action:
        rows = rows if len(rows) == len(action) else np.arange(len(action))
        cells = rows + len(action) * action
        # What can be changed in place would be taken for what it was; the actions of an update cannot.
        _last_asked = (None if action.flags.writeable else action, cells, rows)
    return cells


_last_asked: tuple[IntArray | None, IntArray, IntArray] = (None, np.arange(0), np.arange(0))


def _by_arm(numbers: PerSession | ArmArray) -> Any:
    return numbers._by_arm if isinstance(numbers, ArmArray) else numbers


def _numbers(other: PerSession | ArmArray) -> Any:
    return other._numbers if isinstance(other, OneSession) else repeat(plain(other))
