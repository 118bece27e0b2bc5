"""What environments are given as actions, and how they refuse one."""

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


def masked_error(action: int, llm_name: str, session: int | None = None) -> ValueError:
    """Return the error of an action whose LLM cannot be asked; `session`: its number, where there are several."""
    of_session = "" if session is None else f" of session {session}"
    return ValueError(f"action {action}{of_session} is masked: {llm_name} cannot be asked this query.")


def _integer(action: Any) -> int:
    if type(action) is not int and not isinstance(action, np.integer):  # not a bool, nor a number that int() would cut
        number = np.asarray(action)
        if number.size != 1 or number.dtype.kind not in "iu":
            raise ValueError(f"action must be an integer, the index of an LLM, got {action!r}.")
        return int(number.item())  # one element too: what predict() gives for a batch of one
    return int(action)
