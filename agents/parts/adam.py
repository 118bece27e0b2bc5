"""Gradient descent by Adam (Kingma and Ba 2015) on a few arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray

_FIRST, _SECOND, _TINY = 0.9, 0.999, 1e-8  # the paper's


def adam(
    arrays: Sequence[FloatArray],
    gradients: Callable[..., Sequence[FloatArray]],
    *,
    n_steps: int,
    learning_rate: float,
) -> None:
    """Change the arrays in place, down their gradients.

    Args:
        arrays: Where to start, and where it ends.
        gradients: From the arrays to the gradient by each.
        n_steps: How many steps.
        learning_rate: Size of a step.
    """
    firsts, seconds = ([np.zeros_like(array) for array in arrays] for _ in range(2))
    for step in range(1, n_steps + 1):
        for array, gradient, first, second in zip(arrays, gradients(*arrays), firsts, seconds, strict=True):
            first += (1 - _FIRST) * (gradient - first)
            second += (1 - _SECOND) * (np.square(gradient) - second)
            unbiased, scale = first / (1 - _FIRST**step), second / (1 - _SECOND**step)
            array -= learning_rate * unbiased / (np.sqrt(scale) + _TINY)
