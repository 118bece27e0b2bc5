"""Which terms of the reward decide between LLMs, and which LLM is best as each weight moves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.base import TERMS, Reward
from llm_routing_env.rewards.reward_table import RewardTable, mean_of_known
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]
NEGLIGIBLE = 0.01  # a smaller share of the variance between LLMs decides nothing
SWEEP = np.logspace(-2, 2, 25)  # factors on a weight


def audit_reward(problem: RoutingProblem) -> dict[str, Any]:
    """Return how much each term of the reward differs between LLM means within a context.

    "effect" is a term on the scale of the reward: to first order around the mean over the context's LLMs.
    """
    terms = _context_terms(problem)
    slopes = problem.reward.slopes({name: mean_of_known(values, 1)[:, None] for name, values in terms.items()})
    variances = {name: _variance(values * slopes[name]) for name, values in terms.items()}
    total = sum(variances.values())
    best = _best(problem, problem.reward)
    return {
        name: {
            "weight": weight,
            "term_variance": _variance(terms[name]),
            "effect_variance": variances[name],
            "share": variances[name] / total if total > 0 else None,
            "best_changes_without_it": _changes(problem, name, best) if weight else [],
        }
        for name, weight in problem.reward.weight_by_term.items()
    }


def warnings(problem: RoutingProblem, audit: dict[str, Any]) -> list[str]:
    """Return what a reader should know about the weights: those that do nothing, and what the form says of itself."""
    said = []
    for name, entry in audit.items():
        if entry["weight"] and entry["share"] is not None and entry["share"] < NEGLIGIBLE:
            said.append(
                f"The weight on {name} ({entry['weight']:g}) does nothing: {entry['share']:.2%} of the variance of the "
                "reward between LLMs is its own."
            )
    rewards = problem.reward_table.rewards[problem.table.select(None, problem.split)]
    return said + problem.reward.remarks(rewards[~np.isnan(rewards)])


def sweep_weights(problem: RoutingProblem) -> dict[str, Any]:
    """Return each context's best LLM as one weight moves and the others stay.

    Returns:
        By term: the weights tried, from a hundredth to a hundred times the present one (of 1 where it is 0), and the
        best LLM's name by context. Terms whose measure the table lacks are left out; further terms stay as they are.
    """
    names = problem.table.llm_names
    swept = {}
    for term, present in zip(TERMS, problem.reward.weights, strict=True):
        if _is_missing(problem.table, term):
            continue
        tried = (present or 1.0) * SWEEP
        best = np.array([_best(problem, problem.reward.with_weight(term, float(weight))) for weight in tried])
        by_context = {context: [names[llm] for llm in best[:, row]] for row, context in enumerate(problem.contexts)}
        swept[term] = {"weights": tried.tolist(), "best": by_context}
    return swept


def _context_terms(problem: RoutingProblem) -> dict[str, Floats]:
    """Return each weighted term's mean by context and LLM."""
    chosen = [problem.table.select(context, problem.split) for context in problem.contexts]
    return {
        name: np.array([mean_of_known(values[queries], (0, 2)) for queries in chosen])
        for name, values in problem.reward_terms.items()
    }


def _variance(values: Floats) -> float:
    """Return the variance over LLMs, averaged over contexts; an LLM without outcomes in a context does not count."""
    deviations = values - mean_of_known(values, 1)[:, None]
    return float(mean_of_known(deviations**2, 1).mean())


def _best(problem: RoutingProblem, reward: Reward) -> NDArray[np.int64]:
    """Return the index of each context's best LLM under a reward with other weights."""
    rewards = RewardTable(problem.cells, reward)
    chosen = (problem.table.select(context, problem.split) for context in problem.contexts)
    return np.array([np.nanargmax(rewards.expected(queries)) for queries in chosen])


def _changes(problem: RoutingProblem, term: str, best: NDArray[np.int64]) -> list[str] | None:
    """Return the contexts whose best LLM is another one without a term; None where no reward is left without it."""
    reward = problem.reward.with_weight(term, 0.0)
    if reward.is_constant:
        return None
    changed = _best(problem, reward) != best
    return [context for context, is_other in zip(problem.contexts, changed, strict=True) if is_other]


def _is_missing(table: OutcomeTable, term: str) -> bool:
    values = {"cost": table.cost_usd, "latency": table.latency_s}.get(term)
    return values is not None and bool(np.isnan(values).all())
