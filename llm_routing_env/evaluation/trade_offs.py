"""What of accuracy, cost and latency can be had together: by one LLM, by one per context, by one per query."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.pareto import even_preferences, expected_utility, hypervolume, pareto_front
from llm_routing_env.evaluation.policies import Policies, expected
from llm_routing_env.rewards.objectives import OBJECTIVES, cell_objectives, objective_bounds
from llm_routing_env.rewards.reward_table import best_of_known, mean_of_known

Floats = NDArray[np.float64]
Document = dict[str, Any]
CHOICES = ("single_llms", "per_context", "per_query")


class TradeOffs:
    """The means of the objectives on a problem's split, contexts weighted equally; points have the shape (n, 3).

    Attributes:
        queries: The queries that are judged, context by context, shape (judged,).
        sizes: How many there are of each context.
        weights: How much each counts, with the sum 1, shape (judged,).
        by_query: The objectives of each LLM on each of them, shape (judged, LLMs, 3).
        by_context: The same of each context, shape (contexts, LLMs, 3).
        reference: The lowest value of each objective, that of a failed call: what hypervolumes are measured from.
    """

    def __init__(self, problem: RoutingProblem) -> None:
        """Compute the objectives.

        Raises:
            ValueError: If costs or latencies are not known, or the problem has phases.
        """
        if len(problem.first_steps) > 1:
            raise ValueError("Trade-offs are of a table as it was recorded: leave the scenario out.")
        self.queries = np.concatenate([problem.queries_of(name) for name in problem.contexts])
        self.sizes = sizes = [len(problem.queries_of(name)) for name in problem.contexts]
        self.weights = np.repeat([1 / (len(sizes) * size) for size in sizes], sizes)
        self.by_query = cell_objectives(problem.cells, problem.reward)[self.queries].mean(axis=2)
        self.by_context = np.stack([mean_of_known(part, 0) for part in np.split(self.by_query, np.cumsum(sizes)[:-1])])
        self.reference = objective_bounds(problem.reward)[0]

    def single_llms(self) -> Floats:
        """Return the point of each LLM asked every query that it has an outcome of, shape (LLMs, 3)."""
        return mean_of_known(self.by_context, 0)

    def per_context(self, preferences: Floats) -> Floats:
        """Return the point of the best LLM per context by each preference: all that a context label can reach.

        Args:
            preferences: Shape (n, 3).
        """
        even = np.full(len(self.by_context), 1 / len(self.by_context))
        return _best_by(self.by_context, even, preferences)

    def per_query(self, preferences: Floats) -> Floats:
        """Return the point of the best LLM per query by each preference, in hindsight: what no router can beat.

        Args:
            preferences: Shape (n, 3).
        """
        return _best_by(self.by_query, self.weights, preferences)

    def policies(self, policies: Policies) -> Floats:
        """Return the point of each frozen policy.

        Args:
            policies: Probabilities of LLMs for every query of the table, shape (n, queries, LLMs).
        """
        return np.stack([of_one @ self.weights for of_one in np.moveaxis(self.values(policies), 2, 0)], axis=1)

    def values(self, policies: Policies) -> Floats:
        """Return what each frozen policy is expected to get on each query that is judged, shape (n, judged, 3)."""
        chosen = np.asarray(policies)[:, self.queries]
        return np.stack([expected(chosen, self.by_query[..., number]) for number in range(len(OBJECTIVES))], axis=2)


def trade_offs(problem: RoutingProblem) -> Document:
    """Return what `pickllm inspect` tells of trade-offs, JSON-plain; only "not_judged", why, where it cannot tell."""
    try:
        found = TradeOffs(problem)
    except ValueError as reason:
        return {"not_judged": str(reason)}
    singles, preferences = found.single_llms(), even_preferences()
    of_known = np.isfinite(singles).all(axis=1)  # a table may lack every outcome of an LLM in the split
    names, singles = [problem.table.llm_names[llm] for llm in np.flatnonzero(of_known)], singles[of_known]
    # One LLM for all is a choice per context too, and that is one per query.
    by_context = np.concatenate([singles, found.per_context(preferences)])
    by_query = np.concatenate([by_context, found.per_query(preferences)])
    choices = dict(zip(CHOICES, (singles, by_context, by_query), strict=True))
    return {
        "objectives": list(OBJECTIVES),
        "cost_scale_usd": problem.reward.cost_scale_usd,
        "t_scaling": problem.reward.t_scaling,
        "reference": found.reference.tolist(),
        "n_preferences": len(preferences),
        "llms": dict(zip(names, singles.tolist(), strict=True)),
        "llms_on_front": [names[llm] for llm in np.flatnonzero(pareto_front(singles))],
        **{name: _judged(points, found.reference, preferences) for name, points in choices.items()},
    }


def _judged(points: Floats, reference: Floats, preferences: Floats) -> Document:
    distinct = np.unique(points, axis=0)
    return {
        "front": distinct[pareto_front(distinct)].tolist(),
        "hypervolume": hypervolume(points, reference),
        "expected_utility": expected_utility(points, preferences),
    }


def _best_by(values: Floats, weights: Floats, preferences: Floats) -> Floats:
    """Return the weighted mean over groups of the best LLM's values by each preference.

    Args:
        values: Shape (groups, LLMs, 3), NaN where nothing is known.
        weights: Of the groups, with the sum 1.
        preferences: Shape (n, 3).
    """
    everyone = np.arange(len(values))
    return np.array([weights @ values[everyone, best_of_known(values @ preference)] for preference in preferences])
