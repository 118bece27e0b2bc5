"""What could be had: each single LLM, the best fixed one, the best per context, and the per-query oracle.

Two LLMs can claim to be the best fixed one. Chosen on the other split it is what a careful operator could have known;
in hindsight, on the very queries that are judged, it is the strongest single LLM there is, the one that regret is
measured against. Verdicts are against the latter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem

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
        actions: For each reference, the LLM it sends each query of the table to, shape (queries,).
        best_fixed: Name of the LLM that is best on the judged queries.
        chosen_fixed: Name of the LLM that is best on the other split; several where the judged queries are of both.
    """

    actions: dict[str, Ints]
    best_fixed: str
    chosen_fixed: str


def choose_references(problem: RoutingProblem, contexts: Sequence[str]) -> References:
    """Return the references of what is judged, in rising order of what they know.

    The best LLM is the one with the highest mean over contexts of its mean reward in each: what comparisons report.

    Args:
        problem: The problem.
        contexts: Those that are judged together; "mixed" is all of the split as one.
    """
    means, names = problem.reward_table.query_means, problem.table.llm_names
    judged = [problem.queries_of(context) for context in contexts]
    hindsight = int(np.argmax(_mean_of_contexts(means, judged)))
    fixed, by_context = np.full(len(means), hindsight), np.full(len(means), hindsight)
    halves = _halves(problem)
    for evidence in (halves, ~halves):
        known = [queries[evidence[queries]] for queries in (problem.queries_of(context, "all") for context in contexts)]
        # Where there is no other query, as in a table of one, hindsight is all there is.
        best = int(np.argmax(_mean_of_contexts(means, known))) if any(map(len, known)) else hindsight
        fixed[~evidence] = by_context[~evidence] = best
        for number in range(len(problem.table.contexts)):
            here = problem.table.query_contexts == number
            if (here & evidence).any():  # else the best of all the contexts stands in
                by_context[here & ~evidence] = np.argmax(means[here & evidence].mean(axis=0))
    singles = {f"always {name}": np.full(len(means), llm) for llm, name in enumerate(names)}
    informed = {
        CHOSEN_FIXED: fixed,
        BEST_FIXED: np.full(len(means), hindsight),
        CONTEXT_BEST: by_context,
        ORACLE: np.argmax(means, axis=1),
    }
    chosen = dict.fromkeys(names[llm] for queries in judged for llm in np.unique(fixed[queries]))
    return References(singles | informed, names[hindsight], " or ".join(chosen))


def _mean_of_contexts(means: Floats, queries: Sequence[Ints]) -> Floats:
    """Return each LLM's mean over contexts of its mean over their queries, shape (LLMs,); empty contexts left out."""
    return np.asarray(np.mean([means[of_context].mean(axis=0) for of_context in queries if len(of_context)], axis=0))


def _halves(problem: RoutingProblem) -> Mask:
    """Split the queries in two: by the table's split, or alternating where it has only one."""
    is_train: Mask = problem.table.is_train
    if is_train.any() and not is_train.all():
        return is_train
    alternating: Mask = np.arange(len(is_train)) % 2 == 0
    return alternating
