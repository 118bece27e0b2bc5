"""Which terms of the reward decide between LLMs, and which LLM is best as each weight moves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.outcomes import OutcomeTable
from llm_routing_env.reward import make_reward
from llm_routing_env.reward_table import RewardTable

Floats = NDArray[np.float64]
TERMS = ("accuracy", "cost", "latency")
NEGLIGIBLE = 0.01  # a smaller share of the variance between LLMs decides nothing
SWEEP = np.logspace(-2, 2, 25)  # factors on a weight


def audit_reward(problem: RoutingProblem) -> dict[str, Any]:
    """Return how much each term of the reward differs between LLM means within a context.

    Of the additive reward each term's variance is taken as it is. The ratio's terms are first put on the scale of the
    reward: each one's effect on it, to first order around the mean over the context's LLMs.
    """
    terms = _context_terms(problem)
    effects = terms if problem.reward.form == "additive" else _first_order(terms, problem.reward.weights[2] > 0)
    sizes = np.array([len(problem.table.select(name, problem.split)) for name in problem.contexts])
    variances = {name: float(np.average(effect.var(axis=1), weights=sizes)) for name, effect in effects.items()}
    total = sum(variances.values())
    best = _best(problem, problem.reward.weights)
    return {
        name: {
            "weight": weight,
            "term_variance": float(np.average(terms[name].var(axis=1), weights=sizes)),
            "effect_variance": variances[name],
            "share": variances[name] / total if total > 0 else None,
            "best_changes_without_it": _changes(problem, number, best) if weight else [],
        }
        for number, (name, weight) in enumerate(zip(TERMS, problem.reward.weights, strict=True))
    }


def warnings(problem: RoutingProblem, audit: dict[str, Any]) -> list[str]:
    """Return what a reader should know about the weights: those that do nothing, and the ratio's oddities."""
    said = []
    for name, entry in audit.items():
        if entry["weight"] and entry["share"] is not None and entry["share"] < NEGLIGIBLE:
            said.append(
                f"The weight on {name} ({entry['weight']:g}) does nothing: {entry['share']:.2%} of the variance of the "
                "reward between LLMs is its own."
            )
    if problem.reward.form == "pickllm" and problem.reward.weights[2]:
        said.append(
            "In the ratio form the weight on latency only scales the reward and never changes which LLM is best; "
            "the additive form weighs it."
        )
        negative = float((problem.reward_table.rewards[problem.table.select(None, problem.split)] < 0).mean())
        if negative > 0:
            said.append(f"{negative:.0%} of the rewards are negative: there the ratio prefers the slower LLM.")
    return said


def sweep_weights(problem: RoutingProblem) -> dict[str, Any]:
    """Return each context's best LLM as one weight moves and the others stay.

    Returns:
        By term: the weights tried, from a hundredth to a hundred times the present one (of 1 where it is 0), and the
        best LLM's name by context. Terms whose measure the table lacks are left out.
    """
    names = problem.table.llm_names
    swept = {}
    for number, term in enumerate(TERMS):
        if _is_missing(problem.table, term):
            continue
        tried = (problem.reward.weights[number] or 1.0) * SWEEP
        best = np.array([_best(problem, _with(problem, number, float(weight))) for weight in tried])
        by_context = {context: [names[llm] for llm in best[:, row]] for row, context in enumerate(problem.contexts)}
        swept[term] = {"weights": tried.tolist(), "best": by_context}
    return swept


def _context_terms(problem: RoutingProblem) -> dict[str, Floats]:
    """Return each weighted term's mean by context and LLM."""
    table = problem.table
    terms = problem.reward.terms(problem.reward_table.accuracies, table.cost_usd, table.latency_s)
    chosen = [table.select(context, problem.split) for context in problem.contexts]
    return {name: np.array([values[queries].mean(axis=(0, 2)) for queries in chosen]) for name, values in terms.items()}


def _first_order(terms: dict[str, Floats], has_denominator: bool) -> dict[str, Floats]:
    """Return the terms' effects on the ratio (a - c) / l, linear around each context's mean."""
    numerator = (terms["accuracy"] - terms["cost"]).mean(axis=1, keepdims=True)
    denominator = terms["latency"].mean(axis=1, keepdims=True) if has_denominator else np.ones_like(numerator)
    return {
        "accuracy": terms["accuracy"] / denominator,
        "cost": terms["cost"] / denominator,
        "latency": terms["latency"] * numerator / denominator**2,
    }


def _with(problem: RoutingProblem, number: int, weight: float) -> tuple[float, ...]:
    weights = list(problem.reward.weights)
    weights[number] = weight
    return tuple(weights)


def _best(problem: RoutingProblem, weights: tuple[float, ...]) -> NDArray[np.int64]:
    """Return the index of each context's best LLM under other weights."""
    scale = problem.reward.cost_scale_usd
    reward = make_reward(problem.table, problem.reward.form, weights, cost_scale_usd=scale)
    means = RewardTable(problem.table, reward, problem.scorer).query_means
    chosen = (problem.table.select(context, problem.split) for context in problem.contexts)
    return np.array([np.argmax(means[queries].mean(axis=0)) for queries in chosen])


def _changes(problem: RoutingProblem, number: int, best: NDArray[np.int64]) -> list[str] | None:
    """Return the contexts whose best LLM is another one without a weight; None where no reward is left without it."""
    weights = _with(problem, number, 0.0)
    if not any(weights) or (problem.reward.form == "pickllm" and not any(weights[:2])):
        return None
    changed = _best(problem, weights) != best
    return [context for context, is_other in zip(problem.contexts, changed, strict=True) if is_other]


def _is_missing(table: OutcomeTable, term: str) -> bool:
    values = {"cost": table.cost_usd, "latency": table.latency_s}.get(term)
    return values is not None and bool(np.isnan(values).any())
