"""What a checkpoint holds: the public numpy arrays of an object and of its parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.arm_array import ArmArray
from llm_routing_env.agents.parts.session_array import BoolArray, FloatArray, IntArray, SessionArray

__all__ = ["BoolArray", "FloatArray", "IntArray", "Outcomes", "Stateful"]

Outcomes = Mapping[str, FloatArray]


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
            if isinstance(value, np.ndarray | ArmArray | SessionArray):
                arrays[name] = np.asarray(value)
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
            elif isinstance(value, ArmArray | SessionArray):
                continue
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
            held = getattr(owner, attribute)
            if isinstance(held, ArmArray | SessionArray):
                held.array = array
            else:
                setattr(owner, attribute, array)
