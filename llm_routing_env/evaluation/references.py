"""What could be had: each single LLM, the best fixed one, the best per context, and the per-query oracle.

A choice made from data is never judged on the queries it was made from: for the queries of one split, the best LLM
is chosen on the other split.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem

Ints = NDArray[np.int64]
BEST_FIXED, CONTEXT_BEST, ORACLE = "best fixed LLM", "per-context best", "per-query oracle"


@dataclass(frozen=True)
class References:
    """Policies that know the table.

    Attributes:
        actions: For each reference, the LLM it sends each query of the table to, shape (queries,).
        best_fixed: Name of the best fixed LLM for the queries judged.
    """

    actions: dict[str, Ints]
    best_fixed: str


def choose_references(problem: RoutingProblem) -> References:
    """Return the references of a problem, in rising order of what they know."""
    means = problem.reward_table.query_means
    judged = problem.table.select(None, problem.split)
    fixed, by_context = np.zeros(len(means), dtype=np.int64), np.zeros(len(means), dtype=np.int64)
    halves = _halves(problem)
    for other, half in ((0, 1), (1, 0)):
        mine, evidence = halves == half, halves == other
        fixed[mine] = np.argmax(means[evidence].mean(axis=0))
        for context in range(len(problem.table.contexts)):
            here = problem.table.query_contexts == context
            # A context that the other half lacks tells nothing: fall back on the best fixed LLM.
            known = means[evidence & here].mean(axis=0) if (evidence & here).any() else None
            by_context[mine & here] = fixed[mine][0] if known is None else np.argmax(known)
    names = problem.table.llm_names
    singles = {f"always {name}": np.full(len(means), llm) for llm, name in enumerate(names)}
    informed = {BEST_FIXED: fixed, CONTEXT_BEST: by_context, ORACLE: np.argmax(means, axis=1)}
    return References(singles | informed, names[fixed[judged[0]]])


def _halves(problem: RoutingProblem) -> NDArray[np.bool_]:
    """Split the queries in two: by the table's split, or alternating where it has only one."""
    is_train: NDArray[np.bool_] = problem.table.is_train
    if is_train.any() and not is_train.all():
        return is_train
    alternating: NDArray[np.bool_] = np.arange(len(is_train)) % 2 == 0
    return alternating
