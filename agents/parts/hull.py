"""Assigning queries to LLMs: every trade of cost against accuracy that a price on cost can reach, exactly.

Cost and accuracy of an assignment are sums over queries, so for a price lambda on cost each query is assigned on its
own, to the LLM with the highest p - lambda c. As lambda falls, queries are raised one by one along the concave hull of
their own LLMs' (c, p): all the raises, sorted by what they add per dollar, are all that any lambda reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Front:
    """Assignments from the cheapest to the most accurate, each one raise after the one before.

    Attributes:
        start: The LLM of each query in the cheapest assignment, shape (queries,).
        query: Which query each raise is of, shape (raises,).
        before: From which LLM, shape (raises,).
        after: To which, shape (raises,).
        prices: What each raise adds to the accuracy per dollar, falling; shape (raises,).
        cost_usd: Summed cost of each assignment, shape (1 + raises,).
        accuracy: Summed predicted accuracy, shape (1 + raises,).
    """

    start: IntArray
    query: IntArray
    before: IntArray
    after: IntArray
    prices: FloatArray
    cost_usd: FloatArray
    accuracy: FloatArray

    def price(self, n_raises: int) -> float:
        """Return a lambda that leads to the assignment after so many raises: between that of the last and of the next.

        0 after all; one too high for any raise before the first.
        """
        if n_raises == len(self.prices):
            return 0.0
        upcoming = float(self.prices[n_raises])
        return 2 * upcoming if n_raises == 0 else (float(self.prices[n_raises - 1]) + upcoming) / 2

    def within(self, cost_usd: float) -> int:
        """Return the most raises whose summed cost stays within this; -1 if even the cheapest assignment is above."""
        return int(np.searchsorted(self.cost_usd, cost_usd * (1 + 1e-12), side="right")) - 1

    def assignment(self, n_raises: int) -> IntArray:
        """Return the LLM of each query after so many raises, shape (queries,)."""
        assigned = self.start.copy()
        assigned[self.query[:n_raises]] = self.after[:n_raises]  # of several raises of a query the last holds
        return assigned


def supported_front(accuracy: FloatArray, cost_usd: FloatArray) -> Front:
    """Return all assignments that a price on cost reaches.

    Args:
        accuracy: Predicted, shape (queries, LLMs).
        cost_usd: Shape (queries, LLMs).
    """
    rows = zip(accuracy.tolist(), cost_usd.tolist(), np.lexsort((-accuracy, cost_usd), axis=1).tolist(), strict=True)
    corners = [_corners(*row) for row in rows]
    raises = [(query, *pair) for query, path in enumerate(corners) for pair in pairwise(path)]
    query, before, after = np.array(raises, dtype=np.int64).reshape(-1, 3).T
    added_cost = cost_usd[query, after] - cost_usd[query, before]
    added_accuracy = accuracy[query, after] - accuracy[query, before]
    prices = added_accuracy / added_cost
    order = np.argsort(-prices, kind="stable")  # a query's own raises fall in price, and stay in order
    start, everyone = np.array([path[0] for path in corners]), np.arange(len(accuracy))
    return Front(
        start,
        query[order],
        before[order],
        after[order],
        prices[order],
        cost_usd[everyone, start].sum() + np.append(0.0, added_cost[order].cumsum()),
        accuracy[everyone, start].sum() + np.append(0.0, added_accuracy[order].cumsum()),
    )


def _corners(accuracy: list[float], cost_usd: list[float], cheapest_first: list[int]) -> list[int]:
    """Return a query's LLMs on the concave hull, from the cheapest to the most accurate."""
    path = cheapest_first[:1]
    for llm in cheapest_first[1:]:
        if accuracy[llm] <= accuracy[path[-1]]:
            continue
        while len(path) > 1 and not _falls(accuracy, cost_usd, path[-2], path[-1], llm):
            path.pop()
        path.append(llm)
    return path


def _falls(accuracy: list[float], cost_usd: list[float], first: int, middle: int, last: int) -> bool:
    """Say whether accuracy per dollar is higher before the middle LLM than after it."""
    before = (accuracy[middle] - accuracy[first]) * (cost_usd[last] - cost_usd[middle])
    return before > (accuracy[last] - accuracy[middle]) * (cost_usd[middle] - cost_usd[first])
