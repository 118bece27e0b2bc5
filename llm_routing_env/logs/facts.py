"""What a log says of all its rows, and what a table says of a cell."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.rewards.base import Reward

Ints = NDArray[np.int64]


def problem_facts(problem: RoutingProblem, **facts: Any) -> dict[str, Any]:
    """Return a log's metadata, JSON-plain.

    Args:
        problem: What was routed.
        facts: What else is known: env, seed, agents.
    """
    table, pool = problem.table, problem.pool
    return {
        "table": {"name": table.name, "sha256": table.sha256},
        "backend": "live" if problem.is_live else "table",
        "pool": pool.name if pool is not None else None,
        "llms": list(problem.task.llm_names),
        "reward": reward_facts(problem.reward),
        "scorer": problem.scorer,
        "observation": problem.observation,
        "scenario": problem.recorded_scenario,
        "context": problem.context,
        "split": problem.split,
        **facts,
    }


def reward_facts(reward: Reward) -> dict[str, Any]:
    """Return what a log says of its reward."""
    return reward.facts() | {"bounds": list(reward.bounds)}


def asked_columns(problem: RoutingProblem, rows: Ints) -> dict[str, Any]:
    """Return the columns of a log that say what was asked.

    Args:
        problem: What was routed.
        rows: The query of each step in its phase, see `Cells`.
    """
    table = problem.table
    queries = rows % table.n_queries
    distinct, codes = np.unique(queries, return_inverse=True)
    columns: dict[str, Any] = {
        "context": (table.query_contexts[queries], table.contexts),
        "query_id": (codes, [table.query_ids[query] for query in distinct.tolist()]),
        "phase": problem.same_as[rows // table.n_queries],  # one that comes back has its first number
    }
    if problem.is_masked:
        columns["action_mask"] = problem.cells.available[rows]
    return columns
