"""Actions as environments of one session are given them."""

from typing import Any

import numpy as np


def checked_action(action: Any, n_actions: int) -> int:
    """Return an action as an integer.

    Raises:
        ValueError: It is none, or not 0 to `n_actions` - 1.
    """
    index = _integer(action)
    if not 0 <= index < n_actions:
        raise ValueError(f"action must be 0 to {n_actions - 1}, got {action!r}.")
    return index


def _integer(action: Any) -> int:
    if type(action) is not int and not isinstance(action, np.integer):  # not a bool, nor a number that int() would cut
        number = np.asarray(action)
        if number.size != 1 or number.dtype.kind not in "iu":
            raise ValueError(f"action must be an integer, the index of an LLM, got {action!r}.")
        return int(number.item())  # one element too: what predict() gives for a batch of one
    return int(action)
