"""Which terms of the reward decide between LLMs, and which LLM is best as each weight moves."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.reward import TERMS, Reward
from llm_routing_env.rewards.reward_table import RewardTable
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]
NEGLIGIBLE = 0.01  # a smaller share of the variance between LLMs decides nothing
SWEEP = np.logspace(-2, 2, 25)  # factors on a weight


def audit_reward(problem: RoutingProblem) -> dict[str, Any]:
    """Return how much each term of the reward differs between LLM means within a context.

    Of the additive reward each term's variance is taken as it is. The ratio's terms are first put on the scale of the
    reward: each one's effect on it, to first order around the mean over the context's LLMs.
    """
    terms = _context_terms(problem)
    effects = terms if problem.reward.form == "additive" else _first_order(terms, problem.reward.weights[2] > 0)
    weights = dict(zip(TERMS, problem.reward.weights, strict=True)) | dict(problem.reward.extra_terms)
    variances = {name: float(effect.var(axis=1).mean()) for name, effect in effects.items()}
    total = sum(variances.values())
    best = _best(problem, problem.reward)
    return {
        name: {
            "weight": weight,
            "term_variance": float(terms[name].var(axis=1).mean()),
            "effect_variance": variances[name],
            "share": variances[name] / total if total > 0 else None,
            "best_changes_without_it": _changes(problem, name, best) if weight else [],
        }
        for name, weight in weights.items()
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
        best LLM's name by context. Terms whose measure the table lacks are left out; further terms stay as they are.
    """
    names = problem.table.llm_names
    swept = {}
    for term, present in zip(TERMS, problem.reward.weights, strict=True):
        if _is_missing(problem.table, term):
            continue
        tried = (present or 1.0) * SWEEP
        best = np.array([_best(problem, _with(problem.reward, term, float(weight))) for weight in tried])
        by_context = {context: [names[llm] for llm in best[:, row]] for row, context in enumerate(problem.contexts)}
        swept[term] = {"weights": tried.tolist(), "best": by_context}
    return swept


def _context_terms(problem: RoutingProblem) -> dict[str, Floats]:
    """Return each weighted term's mean by context and LLM."""
    chosen = [problem.table.select(context, problem.split) for context in problem.contexts]
    return {
        name: np.array([values[queries].mean(axis=(0, 2)) for queries in chosen])
        for name, values in _terms(problem).items()
    }


def _terms(problem: RoutingProblem) -> dict[str, Floats]:
    cells = problem.cells
    return problem.reward.terms(cells.accuracy, cells.cost_usd, cells.latency_s, cells.measures)


def _first_order(terms: dict[str, Floats], has_denominator: bool) -> dict[str, Floats]:
    """Return the terms' effects on the ratio (a - c - further ones) / l, linear around each context's mean."""
    subtracted = [name for name in terms if name not in ("accuracy", "latency")]
    gain = terms["accuracy"] - np.sum([terms[name] for name in subtracted], axis=0)
    numerator = gain.mean(axis=1, keepdims=True)
    denominator = terms["latency"].mean(axis=1, keepdims=True) if has_denominator else np.ones_like(numerator)
    effects = {name: terms[name] / denominator for name in ("accuracy", *subtracted)}
    return effects | {"latency": terms["latency"] * numerator / denominator**2}


def _with(reward: Reward, term: str, weight: float) -> Reward:
    """Return the reward with another weight on one term."""
    if term in reward.extra_terms:
        return replace(reward, extra_terms={**reward.extra_terms, term: weight})
    accuracy, cost, latency = (
        weight if name == term else present for name, present in zip(TERMS, reward.weights, strict=True)
    )
    return replace(reward, weights=(accuracy, cost, latency))


def _best(problem: RoutingProblem, reward: Reward) -> NDArray[np.int64]:
    """Return the index of each context's best LLM under a reward with other weights."""
    means = RewardTable(problem.cells, reward).query_means
    chosen = (problem.table.select(context, problem.split) for context in problem.contexts)
    return np.array([np.argmax(means[queries].mean(axis=0)) for queries in chosen])


def _changes(problem: RoutingProblem, term: str, best: NDArray[np.int64]) -> list[str] | None:
    """Return the contexts whose best LLM is another one without a term; None where no reward is left without it."""
    reward = _with(problem.reward, term, 0.0)
    weighed = [*reward.weights[: 2 if reward.form == "pickllm" else 3], *reward.extra_terms.values()]
    if not any(weighed):  # the ratio is 0 whatever the latency
        return None
    changed = _best(problem, reward) != best
    return [context for context, is_other in zip(problem.contexts, changed, strict=True) if is_other]


def _is_missing(table: OutcomeTable, term: str) -> bool:
    values = {"cost": table.cost_usd, "latency": table.latency_s}.get(term)
    return values is not None and bool(np.isnan(values).any())
