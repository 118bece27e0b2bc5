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
