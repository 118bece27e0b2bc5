"""The non-decreasing convex hull of cost and quality, and the area under it (RouterBench, arXiv 2403.12031).

As RouterBench's released code has it: the hull starts at the cheapest point, its points get no worse with cost, it is
extended flat to the largest cost of all that are compared, and AIQ ("average improvement in quality") is the area
under it divided by that cost. Queries shared at random between two LLMs reach any point between theirs, so a router
is worth its name above the hull only.
"""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.zero_router import cost_accuracy_hull

Floats = NDArray[np.float64]


def non_decreasing_hull(costs: Floats, qualities: Floats) -> Floats:
    """Return the corners of the hull, shape (corners, 2), in rising order of cost.

    Args:
        costs: Shape (points,).
        qualities: Shape (points,).
    """
    corners = cost_accuracy_hull(costs, qualities)
    return np.stack([costs[corners], qualities[corners]], axis=1)


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
