"""Infos of many sessions, in Gymnasium's form: for each key an array, and a mask of whom it is of under "_key"."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Infos = dict[str, Any]
Mask = NDArray[np.bool_]


def everyone(keys: Iterable[str], n_sessions: int) -> Infos:
    """Return masks that are True everywhere: one read-only array for all keys."""
    mask = np.ones(n_sessions, dtype=bool)
    mask.flags.writeable = False
    return {f"_{key}": mask for key in keys}


def masked(infos: Infos, mask: Mask) -> Infos:
    """Return every entry with its mask, and a neutral value where the mask is False, as Gymnasium does."""
    result: Infos = {}
    for key, value in unmasked(infos).items():
        if isinstance(value, dict):
            result[key] = masked(value, mask)
        elif mask.all():
            result[key] = value
        else:
            neutral: Any = None if value.dtype == object else value.dtype.type(0)
            result[key] = np.where(mask.reshape(-1, *[1] * (value.ndim - 1)), value, neutral)
        result[f"_{key}"] = mask.copy()
    return result


def narrowed(infos: Infos, mask: Mask) -> Infos:
    """Return what is of the sessions of the mask; an entry that is of none of them is left out, as Gymnasium does."""
    result: Infos = {}
    for key, value in unmasked(infos).items():
        own = infos[f"_{key}"] & mask
        if own.any():
            result |= masked({key: value}, own)
    return result


def started_anew(infos: Infos, observations: NDArray[Any], first: Infos, ended: Mask) -> Infos:
    """Return the infos of a step in which sessions ended and started anew.

    Args:
        infos: Of the step.
        observations: What the sessions that ended saw last; a row for every session.
        first: Of the sessions' new starts.
        ended: Which sessions.

    Returns:
        What they last saw and were told is under "final_obs" and "final_info".
    """
    final = np.full(len(ended), None, dtype=object)
    for row in np.flatnonzero(ended):
        final[row] = observations[row]
    last: Infos = {"final_obs": final, "_final_obs": ended.copy()}
    last |= {"final_info": narrowed(infos, ended), "_final_info": ended.copy()}
    return last | merged(narrowed(infos, ~ended), first, ended)


def of_row(infos: Infos, row: int) -> Infos:
    """Return what is of one session, numbers as Python's own."""
    return {key: _plain(value, row) for key, value in unmasked(infos).items() if infos[f"_{key}"][row]}


def _plain(value: Any, row: int) -> Any:
    if isinstance(value, dict):
        return of_row(value, row)
    return value[row].item() if isinstance(value[row], np.generic) else value[row]


def unmasked(infos: Infos) -> Infos:
    """Return the entries without their masks."""
    return {key: value for key, value in infos.items() if not key.startswith("_")}


def merged(infos: Infos, others: Infos, mask: Mask) -> Infos:
    """Return `infos` with the entries of `others` for the sessions of the mask."""
    result = dict(infos)
    for key, values in unmasked(others).items():
        if key not in infos:
            result |= masked({key: values}, mask)
            continue
        result[key] = np.where(mask.reshape(-1, *[1] * (values.ndim - 1)), values, infos[key])
        result[f"_{key}"] = infos[f"_{key}"] | mask
    return result
