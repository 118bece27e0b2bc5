"""OptLLM's search for assignments of queries to LLMs (Liu et al. 2024, arXiv 2405.15130): destroy, then repair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray, IntArray

DENSITY = 10  # steps from either end, the paper's
_MOST_SWAPS = 10_000


class Solution(NamedTuple):
    """An assignment that the search found: the LLM of each query, summed cost and summed predicted accuracy."""

    assigned: IntArray
    cost_usd: float
    accuracy: float


def destroy_and_repair(accuracy: FloatArray, cost_usd: FloatArray, density: int = DENSITY) -> list[Solution]:
    """Return the assignments found of which none is both as cheap and as accurate as another, from the cheapest on.

    From the cheapest assignment on, the queries that gain most accuracy go to their most accurate LLM, part by part,
    and from the most accurate one on those that save most to their cheapest; each time what that spoiled is repaired.

    Args:
        accuracy: Predicted, shape (queries, LLMs).
        cost_usd: Shape (queries, LLMs).
        density: Into how many parts the way from one end to the other is cut.
    """
    cheapest = np.lexsort((-accuracy, cost_usd), axis=1)[:, 0]
    best = np.lexsort((cost_usd, -accuracy), axis=1)[:, 0]
    rows = np.arange(len(accuracy))
    found = [cheapest, best]
    for start, end, worth in ((cheapest, best, accuracy), (best, cheapest, -cost_usd)):
        goal = worth[rows, end]
        part = (goal - worth[rows, start]).sum() / density
        assigned = start
        for _ in range(density - 1):
            gains = goal - worth[rows, assigned]
            order = np.argsort(-gains, kind="stable")
            number = int(np.searchsorted(np.cumsum(gains[order]), part)) + 1
            if number > len(rows):
                break
            assigned = assigned.copy()
            assigned[order[:number]] = end[order[:number]]
            assigned = _repaired(accuracy, cost_usd, assigned)
            found.append(assigned)
    sums = [Solution(z, float(cost_usd[rows, z].sum()), float(accuracy[rows, z].sum())) for z in found]
    front: list[Solution] = []
    for solution in sorted(sums, key=lambda one: (one.cost_usd, -one.accuracy)):
        if not front or solution.accuracy > front[-1].accuracy:
            front.append(solution)
    return front


def _repaired(accuracy: FloatArray, cost_usd: FloatArray, assigned: IntArray) -> IntArray:
    """Take what costs nothing; then the best upgrade against the least harmful downgrade, while that is a gain."""
    assigned = assigned.copy()
    while True:
        more, dearer = _changes(accuracy, assigned), _changes(cost_usd, assigned)
        is_free = (dearer <= 0) & (more >= 0) & (more > dearer)
        queries = is_free.any(axis=1)
        if not queries.any():
            break
        assigned[queries] = np.where(is_free, more, -np.inf).argmax(axis=1)[queries]
    for _ in range(_MOST_SWAPS):
        more, dearer = _changes(accuracy, assigned), _changes(cost_usd, assigned)
        per_dollar = np.divide(more, dearer, out=np.zeros_like(more), where=dearer != 0)
        upgrades = np.where((dearer > 0) & (more > 0), per_dollar, -np.inf)
        downgrades = np.where((dearer < 0) & (more < 0), per_dollar, np.inf)
        up, down = (np.unravel_index(flat, more.shape) for flat in (upgrades.argmax(), downgrades.argmin()))
        if not upgrades[up] > downgrades[down]:
            break
        assigned[up[0]] = up[1]
        if down[0] != up[0]:
            assigned[down[0]] = down[1]
    return assigned


def _changes(values: FloatArray, assigned: IntArray) -> FloatArray:
    changes: FloatArray = values - values[np.arange(len(values)), assigned][:, None]
    return changes
