"""What an outcome table has to teach: sizes, means, references, headroom, and what the reward's weights do."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.audit import audit_reward, sweep_weights, warnings
from llm_routing_env.evaluation.neighbours import FOLDS, route_by_neighbours
from llm_routing_env.evaluation.references import choose_references
from llm_routing_env.evaluation.split_half import HALVES, RoutedMeans, SplitHalf, routed_means
from llm_routing_env.evaluation.trade_offs import trade_offs
from llm_routing_env.observations.embedding_file import embeddings_path, read_embeddings
from llm_routing_env.rewards.never_right import never_right
from llm_routing_env.rewards.reference_free import proxy_notes
from llm_routing_env.rewards.reward_table import best_of_known, mean_of_known
from llm_routing_env.rewards.unread import not_read
from llm_routing_env.tables.notes import not_judged

ALL = "all"
MIN_PROMPTS = 10 * FOLDS  # fewer say nothing about neighbours
Document = dict[str, Any]


def inspect_table(problem: RoutingProblem, *, seed: int = 0) -> Document:
    """Return everything `pickllm inspect` shows, as JSON-plain values; a missing number is None.

    Contexts count equally, as in comparisons. "gap" is the reward between the best fixed LLM and the per-query oracle.

    Args:
        problem: The table with its reward; the queries of its split are inspected.
        seed: Of random halves, folds and resamples.
    """
    if len(problem.first_steps) > 1:
        raise ValueError("What is inspected is a table as it was recorded: leave the scenario out.")
    require_whole("seed", seed, 0)
    rng = np.random.default_rng(seed)
    table = problem.table
    queries = table.select(None, problem.split)
    audit, references = audit_reward(problem), choose_references(problem, problem.contexts)
    best = {c: table.llm_names[int(best_of_known(problem.expected_rewards(c)))] for c in problem.contexts}
    document = _subject(problem) | {
        "seed": seed,
        "means": {ALL: _means(problem, problem.contexts)}
        | {context: _means(problem, [context]) for context in problem.contexts},
        "best_fixed_llm": references.best_fixed,
        "best_fixed_llm_of_other_split": references.chosen_fixed,
        "context_best_llm": best,
        "repeat_noise": _repeat_noise(problem, queries),
        "context_label": _context_label(problem, queries, rng),
        "embeddings": _embeddings(problem, queries, rng, seed),
        "trade_offs": trade_offs(problem),
        "audit": audit,
        "warnings": [*_never_right(problem), *warnings(problem, audit)],
        "sweep": sweep_weights(problem),
    }
    return document | {"verdict": verdict(document)}


def _subject(problem: RoutingProblem) -> Document:
    """Return what is inspected, under which reward."""
    return {
        "table": problem.table.name,
        "sha256": problem.table.sha256,
        "notes": [*problem.table.notes, *proxy_notes(problem.scorer)],
        "not_read": not_read(problem.table, problem.scorer),
        "not_judged": not_judged(problem.table, "test" if problem.split == "all" else problem.split),
        "sizes": _sizes(problem),
        "split": problem.split,
        "scorer": problem.scorer,
        "reward": problem.reward.form,
        "weights": list(problem.reward.weights),
        "cost_scale_usd": _number(problem.reward.cost_scale_usd),
    }


def verdict(document: Document) -> str:
    """Return in words whether there is anything to learn, and from what."""
    context, embeddings = document["context_label"]["gap_closed"], document["embeddings"]["gap_closed"]
    best = document["best_fixed_llm"]
    if context["mean"] is None:
        return f"{best} is best for every query: nothing to learn here."
    if len(set(document["context_best_llm"].values())) == 1:
        constant = f"A constant LLM ({best}) is best in every context: nothing to learn here"
        if embeddings is not None and embeddings["low"] > 0:
            return f"{constant} but from query embeddings, which close {_closed(embeddings)} of the gap to the oracle."
        return f"{constant}."
    by_query = f"query embeddings {_closed(embeddings)}" if embeddings else "query embeddings were not judged"
    return (
        f"A context label closes {_closed(context)} of the gap between the best fixed LLM and the oracle, {by_query}."
    )


def _closed(interval: Document) -> str:
    doubt = " (perhaps nothing)" if interval["low"] <= 0 else ""
    return f"{100 * interval['mean']:.1f} %{doubt}"


def _sizes(problem: RoutingProblem) -> Document:
    table = problem.table
    chosen = table.select(None, problem.split)
    contexts = {context: len(table.select(context, problem.split)) for context in problem.contexts}
    return {
        "queries": len(chosen),
        "train": int(table.is_train[chosen].sum()),
        "test": int((~table.is_train[chosen]).sum()),
        "llms": table.n_llms,
        "repeats": table.n_repeats,
        "failed_calls": int(table.failed[chosen].sum()),
        "contexts": contexts,
    }


def _means(problem: RoutingProblem, contexts: Sequence[str]) -> Document:
    """Return each LLM's means of every measure, averaged over contexts."""
    measures = {
        "accuracy": problem.cells.accuracy,
        "cost_usd": problem.cells.cost_usd,
        "latency_s": problem.cells.latency_s,
        "reward": problem.reward_table.rewards,
        "failed_share": np.where(problem.cells.available[..., None], problem.cells.failed, np.nan),
    }
    means = {
        name: mean_of_known(np.array([mean_of_known(values[problem.queries_of(c)], (0, 2)) for c in contexts]), 0)
        for name, values in measures.items()
    }
    return {
        llm: {name: _number(values[number]) for name, values in means.items()}
        for number, llm in enumerate(problem.table.llm_names)
    }


def _never_right(problem: RoutingProblem) -> list[str]:
    queries = {context: problem.queries_of(context) for context in problem.contexts}
    return never_right(problem.table, problem.scorer, problem.cells.accuracy, queries)


def _repeat_noise(problem: RoutingProblem, queries: NDArray[np.int64]) -> Document | None:
    """Return how much repeats of one query on one LLM differ, alone and in a session's mean; None for one repeat."""
    if problem.table.n_repeats == 1:
        return None
    length = min(SESSION_LENGTH, *(len(problem.table.select(name, problem.split)) for name in problem.contexts))
    noise: Document = {"session_length": length}
    for name, values in (("reward", problem.reward_table.rewards), ("accuracy", problem.cells.accuracy)):
        spread = float(np.sqrt(mean_of_known(values[queries].var(axis=2, ddof=1), (0, 1))))
        noise |= {f"{name}_sd": spread, f"session_{name}_sd": spread / length**0.5}
    return noise


def _context_label(problem: RoutingProblem, queries: NDArray[np.int64], rng: np.random.Generator) -> Document:
    """Return what knowing the context gains, chosen on one half of the queries and judged on the other."""
    halves = SplitHalf(problem.reward_table.query_means[queries], problem.table.query_contexts[queries])
    mean, share = halves.measure_random(rng)
    is_train = problem.table.is_train[queries]
    has_both = is_train.any() and not is_train.all()
    return {
        "judged": f"{HALVES} random halves within contexts, both ways; the middle 95 % of them: no confidence interval",
        **_references(mean),
        "gap_closed": dict(share),
        "by_table_split": _references(halves.measure(is_train)) if has_both else None,
    }


def _references(judged: RoutedMeans) -> Document:
    return {
        "best_fixed": judged.best_fixed,
        "context_best": judged.informed,
        "oracle": judged.oracle,
        "gap_closed": judged.gap_closed,
    }


def _embeddings(problem: RoutingProblem, queries: NDArray[np.int64], rng: np.random.Generator, seed: int) -> Document:
    """Return what nearest neighbours with full information gain, cross-validated; says so where they cannot."""
    table = problem.table
    prompts = [table.queries[int(query)].prompt for query in queries]
    if table.path is None or not embeddings_path(table.path).is_file():
        return {"judged": "no embeddings beside the table: `pickllm embed` computes them", "gap_closed": None}
    if len(set(prompts)) < MIN_PROMPTS:
        return {"judged": f"fewer than {MIN_PROMPTS} different prompts: too few to judge", "gap_closed": None}
    means = problem.reward_table.query_means[queries]
    contexts = table.query_contexts[queries]
    routed = route_by_neighbours(read_embeddings(table, "embedding")[queries], means, contexts, prompts, rng)
    oracle = np.nanmax(means[routed.queries], axis=1)
    mean, share = routed_means(routed.fixed, routed.informed, oracle, contexts[routed.queries], seed)
    judged = f"{FOLDS}-fold cross-validation on {len(routed.queries)} queries; interval: bootstrap over queries"
    reference = _references(mean)
    return {
        "judged": judged,
        "best_fixed": reference["best_fixed"],
        "neighbours": reference["context_best"],
        "oracle": reference["oracle"],
        "gap_closed": dict(share) if share["mean"] is not None else None,
        "neighbours_asked": list(routed.sizes),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
