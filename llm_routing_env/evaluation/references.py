"""What could be had: each single LLM, the best fixed one, the best per context, and the per-query oracle.

Two LLMs can claim to be the best fixed one. Chosen on the other split it is what a careful operator could have known;
in hindsight, on the very queries that are judged, it is the strongest single LLM there is, the one that regret is
measured against. Verdicts are against the latter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env import SESSION_LENGTH
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.reward_table import best_of_known, mean_of_known

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
BEST_FIXED = "best fixed LLM (hindsight)"
CHOSEN_FIXED = "best fixed LLM (other split)"
CONTEXT_BEST, ORACLE = "per-context best", "per-query oracle"


@dataclass(frozen=True)
class References:
    """Policies that know the table.

    Attributes:
        actions: For each reference, the LLM it sends each query to in each phase, shape (rows,).
        best_fixed: Name of the LLM that is best on the judged queries.
        chosen_fixed: Name of the LLM that is best on the other split; several where the judged queries are of both.
    """

    actions: dict[str, Ints]
    best_fixed: str
    chosen_fixed: str


def choose_references(
    problem: RoutingProblem, contexts: Sequence[str], lengths: Mapping[str, int] | None = None
) -> References:
    """Return the references of what is judged, in rising order of what they know.

    The best LLM is the one with the highest mean over contexts of its mean reward in each: what comparisons report.
    Where an LLM cannot be asked, a reference asks the next best by what it knows.

    Args:
        problem: The problem.
        contexts: Those that are judged together; "mixed" is all of the split as one.
        lengths: Steps of a session of each context, which decide how much each phase counts; None: the usual ones.
    """
    lengths = lengths or {context: min(SESSION_LENGTH, len(problem.queries_of(context))) for context in contexts}
    means, names, n_queries = problem.reward_table.query_means, problem.table.llm_names, problem.table.n_queries
    judged = [problem.query_weights(context, lengths[context]) for context in contexts]
    everywhere = [problem.query_weights(context, lengths[context], "all") for context in contexts]
    hindsight = _mean_of_contexts(means, judged)
    fixed, by_context = np.tile(hindsight, (n_queries, 1)), np.tile(hindsight, (n_queries, 1))
    halves = _halves(problem)
    for evidence in (halves, ~halves):
        known = [weights * evidence for weights in everywhere]
        # Where there is no other query, as in a table of one, hindsight is all there is.
        elsewhere = _mean_of_contexts(means, known) if any(weights.any() for weights in known) else hindsight
        fixed[~evidence] = by_context[~evidence] = elsewhere
        for number in range(len(problem.table.contexts)):
            here = problem.table.query_contexts == number
            weights = np.sum(known, axis=0) * here
            if weights.any():  # else the best of all the contexts stands in
                by_context[here & ~evidence] = mean_of_rows(means, weights)
    is_llm, rows = np.eye(len(names), dtype=bool), np.arange(len(problem.cells.available))
    singles = [_best_available(problem, np.tile(np.where(one, np.inf, hindsight), (n_queries, 1))) for one in is_llm]
    earned = np.stack([problem.reward_table.query_means[rows, llms] for llms in singles], axis=1)
    best = int(best_of_known(_mean_of_contexts(earned, judged)))
    actions = {f"always {name}": llms for name, llms in zip(names, singles, strict=True)} | {
        CHOSEN_FIXED: _best_available(problem, fixed),
        BEST_FIXED: singles[best],
        CONTEXT_BEST: _best_available(problem, by_context),
        ORACLE: _best_available(problem, problem.reward_table.query_means),
    }
    chosen = dict.fromkeys(names[llm] for met in judged for llm in np.unique(best_of_known(fixed[met.any(axis=0)])))
    return References(actions, names[best], " or ".join(chosen))


def mean_of_rows(values: Floats, weights: Floats) -> Floats:
    """Return each LLM's mean over queries in their phases, of what is known; NaN where nothing is, shape (LLMs,).

    Args:
        values: Shape (rows, LLMs).
        weights: How much each counts, shape (phases, queries).
    """
    rows = np.flatnonzero(weights)
    counted = np.where(np.isnan(values[rows]), 0.0, weights.ravel()[rows, None])
    totals, counts = (np.where(counted > 0, values[rows], 0.0) * counted).sum(axis=0), counted.sum(axis=0)
    means: Floats = np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0)
    return means


def _best_available(problem: RoutingProblem, scores: Floats) -> Ints:
    """Return the best LLM that can be asked and was recorded, for each row; the scores are of queries or of rows."""
    return best_of_known(np.tile(scores, (len(problem.comparable) // len(scores), 1)), problem.comparable)


def _mean_of_contexts(values: Floats, weights: Sequence[Floats]) -> Floats:
    """Return each LLM's mean over contexts of its mean in their sessions, shape (LLMs,); empty contexts left out."""
    return mean_of_known(np.array([mean_of_rows(values, of_one) for of_one in weights if of_one.any()]), 0)


def _halves(problem: RoutingProblem) -> Mask:
    """Split the queries in two: by the table's split, or alternating where it has only one."""
    is_train: Mask = problem.table.is_train
    if is_train.any() and not is_train.all():
        return is_train
    alternating: Mask = np.arange(len(is_train)) % 2 == 0
    return alternating
