"""Compares what steps of vector environments returned."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray


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


def allowed_actions(masks: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random action per session that its mask allows."""
    return np.argmax(rng.random(masks.shape) * masks, axis=1)


def assert_same_steps(
    ours: VectorEnv[Any, Any, Any],
    theirs: VectorEnv[Any, Any, Any],
    *,
    seed: int,
    mode: str,
    n_steps: int,
    equal: Callable[[Any, Any], None] = assert_equal,
) -> None:
    """Step both with the same random actions; where nothing resets by itself, reset both once a session ends."""
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    equal(ours.reset(seed=seed), theirs.reset(seed=seed))
    rng = np.random.default_rng(seed)
    for _ in range(n_steps):
        actions = allowed_actions(ours.action_masks(), rng)
        step, expected = ours.step(actions), theirs.step(actions)
        equal(step, expected)
        ended = step[2] | step[3]
        if mode == "DISABLED" and ended.any():
            options = {"reset_mask": ended}
            equal(ours.reset(options=dict(options)), theirs.reset(options=dict(options)))
