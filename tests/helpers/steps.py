"""Compares what steps of vector environments returned."""

from typing import Any

import numpy as np


def assert_equal(ours: Any, theirs: Any) -> None:
    """Compare nested tuples and dicts of arrays; in infos, values whose mask is False do not count."""
    if isinstance(ours, dict):
        assert set(ours) == set(theirs)
        for key, value in ours.items():
            mask = ours.get(f"_{key}")
            if mask is not None and not isinstance(value, dict):
                value, other = value[mask], theirs[key][mask]
            else:
                other = theirs[key]
            assert_equal(value, other)
    elif isinstance(ours, tuple):
        for a, b in zip(ours, theirs, strict=True):
            assert_equal(a, b)
    elif ours.dtype == object:
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_equal(a, b)
    else:
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
