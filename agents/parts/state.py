"""What a checkpoint holds: the public numpy arrays of an object and of its parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Outcomes = Mapping[str, FloatArray]


def per_arm(n_rows: int, n_actions: int, value: float) -> FloatArray:
    """Return an array (sessions, arms) filled with one value.

    It lies in memory arm by arm: there are many sessions and few arms, and numpy then reduces over the arms
    several times faster.
    """
    return np.full((n_rows, n_actions), value, dtype=np.float64, order="F")


def by_cell(array: FloatArray) -> FloatArray:
    """Return a flat view of an array that `per_arm` made, shape (sessions * arms,), to be indexed by `cells`.

    One index per cell is several times faster than a pair of indices.
    """
    return array.reshape(-1, order="F")


def cells(rows: IntArray, action: IntArray) -> IntArray:
    """Return where `by_cell` has each session's arm.

    Args:
        rows: 0, 1, ... for the sessions.
        action: One arm per session, shape (sessions,).
    """
    return action if len(rows) == 1 else rows + len(rows) * action


def plain(*arrays: NDArray[Any]) -> Sequence[Any]:
    """Return the arrays, of shape (sessions,), or the numbers that they hold where there is one session.

    The same arithmetic takes a tenth of the time on a number as on an array of one.
    """
    return [array.item() for array in arrays] if len(arrays[0]) == 1 else arrays


class Stateful:
    """An object whose public array attributes are everything that it has learned.

    Attributes whose name starts with an underscore are constants and are left out.
    """

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name; those of a part are named ``part.array``."""
        arrays: dict[str, NDArray[Any]] = {}
        for name, value in vars(self).items():
            if name.startswith("_"):
                continue
            if isinstance(value, np.ndarray):
                arrays[name] = value
            elif isinstance(value, Stateful):
                arrays |= {f"{name}.{inner}": array for inner, array in value.state().items()}
        return arrays

    def require_storable(self, kept: Collection[str] = ()) -> None:
        """Refuse public attributes that `state` leaves out: what is learned there would be lost without a word.

        Args:
            kept: Attributes that are stored elsewhere, or that the constructor sets anew.

        Raises:
            ValueError: If there are any.
        """
        for name, value in vars(self).items():
            if name.startswith("_") or name in kept:
                continue
            if isinstance(value, Stateful):
                value.require_storable()
            elif not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
                raise ValueError(
                    f"{type(self).__name__} cannot be saved: its attribute {name!r} ({type(value).__name__}) is "
                    "neither a numeric numpy array nor a hyperparameter. Store what is learned in public numpy "
                    "arrays, draw from self._rng, and begin the names of constants and of what can be derived with "
                    "an underscore."
                )

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Replace the arrays by those that ``state`` returned earlier.

        Raises:
            ValueError: If the names are not those of this object.
        """
        expected, actual = set(self.state()), set(state)
        if expected != actual:
            raise ValueError(f"{type(self).__name__}: expected arrays {sorted(expected)}, got {sorted(actual)}.")
        for name, array in state.items():
            part, _, attribute = name.rpartition(".")
            owner = attrgetter(part)(self) if part else self
            # In memory as it was, for `by_cell`.
            order: Literal["F", "C"] = "F" if getattr(owner, attribute).flags.f_contiguous else "C"
            setattr(owner, attribute, np.asarray(array, order=order))
