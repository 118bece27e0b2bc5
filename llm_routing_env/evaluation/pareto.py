"""How good a set of policies is where nobody has said yet what accuracy, cost and latency are worth.

A point is what a policy gets on average of each objective, the higher the better; arrays have the shape
(points, objectives).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def pareto_front(points: Floats) -> NDArray[np.bool_]:
    """Return which points no other one dominates: is as good in every objective and better in one; shape (points,).

    Equal points do not dominate each other.
    """
    is_best = np.ones(len(points), dtype=bool)
    for number, point in enumerate(points):
        is_best[number] = not ((points >= point).all(axis=1) & (points > point).any(axis=1)).any()
    return is_best


def hypervolume(points: Floats, reference: Floats) -> float:
    """Return the volume that the points dominate above a reference, exactly.

    Args:
        points: Those that are not above the reference in every objective add nothing.
        reference: A point that is worse than any of interest, shape (objectives,); for an environment's rewards
            `reward_space.low`. Volumes above different references, or in different units, do not compare.

    Raises:
        ValueError: If they have not equally many objectives.
    """
    points, reference = np.asarray(points, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if points.ndim != 2 or reference.shape != points.shape[1:]:
        raise ValueError(
            f"points must have the shape (points, objectives) and the reference (objectives,), got {points.shape} and "
            f"{reference.shape}."
        )
    above = points[(points > reference).all(axis=1)] - reference
    return _volume(above[pareto_front(above)])


def expected_utility(points: Floats, preferences: Floats) -> float:
    """Return the mean over preferences of what the best point for each is worth: the sum weighed by it.

    Args:
        points: Of the policies one can choose from.
        preferences: 0 or more, each with the sum 1, shape (preferences, objectives).
    """
    return float((preferences @ points.T).max(axis=1).mean())


def even_preferences(n_parts: int = 12) -> Floats:
    """Return preferences of three objectives evenly over all there are, in place of draws from the flat Dirichlet.

    They are a triangle, whose edges are cut into parts and it itself into equal small triangles: these have their
    centres there.

    Returns:
        Shape (n_parts squared, 3).
    """
    centres = []
    for n_left, shift in ((n_parts - 1, 1 / 3), (n_parts - 2, 2 / 3)):  # the triangles that point up, and down
        first, second = np.nonzero(np.add.outer(np.arange(n_parts), np.arange(n_parts)) <= n_left)
        centres.append(np.stack([first, second, n_left - first - second], axis=1) + shift)
    return np.concatenate(centres) / n_parts


def _volume(points: Floats) -> float:
    """Return the volume that points dominate above 0, slice by slice along the last objective."""
    if not len(points):
        return 0.0
    if points.shape[1] == 1:
        return float(points.max())
    points = points[np.argsort(-points[:, -1], kind="stable")]
    depths = points[:, -1] - np.append(points[1:, -1], 0.0)
    if points.shape[1] == 2:
        return float(depths @ np.maximum.accumulate(points[:, 0]))
    return float(sum(depth * _volume(points[: n + 1, :-1]) for n, depth in enumerate(depths.tolist()) if depth > 0))
