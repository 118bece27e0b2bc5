"""Zero router: the best that can be had for a mean cost without looking at the query.

The reference of RouterBench (Hu et al. 2024, arXiv 2403.12031): LLMs are points (mean cost, mean accuracy), and between
two LLMs on the non-decreasing convex hull of the points, a random choice reaches every point of the line.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.distributions import restrict
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import BoolArray, FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable


class ZeroRouter(PretrainedAgent):
    """Mixes the two LLMs of the hull around the mean cost allowed, whatever the query; a router must beat this.

    It maximises mean accuracy, not the reward: a mixture's reward is between those of its LLMs, so what maximises that
    without looking at the query is the best fixed LLM. While one of the two is not available, the other is asked;
    without both, any LLM with equal probability.

    Attributes:
        mixture: Probability of each LLM, shape (arms,).
    """

    maximises = "accuracy"
    fits_logs = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        max_cost_usd: float | None = None,
    ) -> None:
        """Start without a mixture.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            max_cost_usd: Highest mean cost of a query, in US dollars. None: the task's budget, or without one halfway
                between the cheapest LLM and the most accurate one, since either end would be a single LLM.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_cost = max_cost_usd is None or 0 <= max_cost_usd < np.inf
        self._require(is_cost, "max_cost_usd", "None, or finite and at least 0", max_cost_usd)
        self.max_cost_usd = max_cost_usd
        self.mixture = np.zeros(task.n_actions)

    def _fit(self, training_table: TrainingTable) -> None:
        cost, accuracy = training_table.means("cost_usd"), training_table.means("accuracy")
        self._require(np.isfinite(cost).all(), "training_table.cost_usd", "recorded: LLMs are mixed by cost", np.nan)
        hull = cost_accuracy_hull(cost, accuracy)
        limit = self.task.max_usd_per_query if self.max_cost_usd is None else self.max_cost_usd
        limit = (cost[hull[0]] + cost[hull[-1]]) / 2 if limit is None else limit
        cheapest = f"at least {cost[hull[0]]:.4g}, the mean cost of the cheapest LLM"
        self._require(limit >= cost[hull[0]], "max_cost_usd", cheapest, limit)
        self.mixture = np.zeros(len(cost))
        for llm, corner in zip(hull, np.eye(len(hull)), strict=True):
            twins = (cost == cost[llm]) & (accuracy == accuracy[llm])
            self.mixture[twins] = np.interp(limit, cost[hull], corner) / twins.sum()

    def _route(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        return restrict(np.tile(self.mixture, (len(observation), 1)), allowed)


def cost_accuracy_hull(cost_usd: FloatArray, accuracy: FloatArray) -> list[int]:
    """Return the LLMs on the non-decreasing convex hull, from the cheapest to the most accurate.

    Args:
        cost_usd: Mean cost of each LLM, shape (LLMs,).
        accuracy: Mean accuracy of each LLM, shape (LLMs,).
    """
    hull: list[int] = []
    for llm in np.lexsort((-accuracy, cost_usd)).tolist():
        if hull and accuracy[llm] <= accuracy[hull[-1]]:
            continue  # dearer and no better
        while len(hull) > 1 and not _rises_more_slowly(cost_usd, accuracy, hull[-2], hull[-1], llm):
            hull.pop()
        hull.append(llm)
    return hull


def _rises_more_slowly(cost_usd: FloatArray, accuracy: FloatArray, first: int, middle: int, last: int) -> bool:
    """Say whether accuracy per cost rises faster before the middle LLM than after it."""
    before = (accuracy[middle] - accuracy[first]) * (cost_usd[last] - cost_usd[middle])
    after = (accuracy[last] - accuracy[middle]) * (cost_usd[middle] - cost_usd[first])
    return bool(before > after)
