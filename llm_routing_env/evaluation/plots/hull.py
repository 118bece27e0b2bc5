"""The non-decreasing convex hull of cost and quality, and the area under it (RouterBench, arXiv 2403.12031).

As RouterBench's released code has it: the hull starts at the cheapest point, its points get no worse with cost, it is
extended flat to the largest cost of all that are compared, and AIQ ("average improvement in quality") is the area
under it divided by that cost. Queries shared at random between two LLMs reach any point between theirs, so a router
is worth its name above the hull only.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def non_decreasing_hull(costs: Floats, qualities: Floats) -> Floats:
    """Return the corners of the hull, shape (corners, 2), in rising order of cost.

    Args:
        costs: Shape (points,).
        qualities: Shape (points,).
    """
    # Of points of one cost only the best counts; a dearer point that is no better is no corner.
    order = np.lexsort((-qualities, costs))
    corners: list[tuple[float, float]] = []
    for cost, quality in zip(costs[order], qualities[order], strict=True):
        if corners and quality <= corners[-1][1]:
            continue
        while len(corners) > 1 and _slope(corners[-2], corners[-1]) <= _slope(corners[-2], (cost, quality)):
            corners.pop()
        corners.append((float(cost), float(quality)))
    return np.array(corners)


def quality_at(hull: Floats, costs: Floats) -> Floats:
    """Return the hull's quality at some costs; NaN below its cheapest point, flat beyond its dearest."""
    return np.interp(costs, hull[:, 0], hull[:, 1], left=np.nan)


def aiq(hull: Floats, largest_cost: float) -> float:
    """Return the area under the hull, extended flat to `largest_cost`, divided by that cost.

    Args:
        hull: From `non_decreasing_hull`.
        largest_cost: Of everything that is compared; above 0, and no less than the hull's.
    """
    costs, qualities = np.append(hull[:, 0], largest_cost), np.append(hull[:, 1], hull[-1, 1])
    return float(np.sum(np.diff(costs) * (qualities[1:] + qualities[:-1]) / 2) / largest_cost)


def _slope(left: tuple[float, float], right: tuple[float, float]) -> float:
    return (right[1] - left[1]) / (right[0] - left[0])
