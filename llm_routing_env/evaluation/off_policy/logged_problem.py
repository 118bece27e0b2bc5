"""The problem that a log is of, as far as its metadata say, and what its table knows of a policy."""

import numpy as np

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.off_policy.logged import Floats
from llm_routing_env.evaluation.off_policy.policy import Asked, Policy
from llm_routing_env.evaluation.policies import expected
from llm_routing_env.logs import Log
from llm_routing_env.tables.load import load_table


def problem_of(log: Log, observation: str, table: str | None) -> RoutingProblem:
    """Return what was routed.

    Args:
        log: The log.
        observation: What is to be seen of a query.
        table: Where the log's table lies; None: it is a shipped one.

    Raises:
        ValueError: If the log is of no table, of another one, or of other LLMs than the table's.
    """
    own, reward = log.metadata.get("table"), log.metadata.get("reward")
    if own is None or reward is None:
        raise ValueError(
            "The log is of no outcome table, so only always:LLM, random and files of probabilities are policies here, "
            "the reward model sees contexts, and there is no truth to compare with."
        )
    try:
        outcomes = load_table(table or own["name"])
    except (ValueError, OSError) as error:
        if table is not None:
            raise
        raise ValueError(f"The log is of the table {own['name']!r}: give its path with --table ({error})") from error
    log.require_table(outcomes)
    problem = RoutingProblem(
        outcomes,
        split=log.metadata["split"],
        observation=observation,
        reward=reward["form"],
        weights=reward["weights"],
        t_scaling=reward["t_scaling"],
        cost_scale_usd=reward["cost_scale_usd"],
        extra_terms=reward["extra_terms"] or None,
        scorer=log.metadata["scorer"],
        scenario=log.metadata["scenario"],
    )
    if problem.task.llm_names != log.llm_names:
        raise ValueError(
            f"The log's LLMs are {', '.join(log.llm_names)}, its table's {', '.join(problem.task.llm_names)}: the "
            "table says nothing of them."
        )
    return problem


def truth_of(log: Log, problem: RoutingProblem, policy: Policy) -> dict[str, float]:
    """Return what a policy gets over all queries of the log's split; contexts and phases count as often as in the log.

    Raises:
        ValueError: If the outcomes were not the table's.
    """
    if log.metadata.get("backend") != "table":
        raise ValueError("The log is of live answers: its table recorded others, and does not know the truth of them.")
    cells, table = problem.cells, problem.table
    measured = {
        "reward": problem.reward_table.query_means,
        "accuracy": cells.accuracy.mean(axis=2),
        "cost_usd": cells.cost_usd.mean(axis=2),
        "latency_s": cells.latency_s.mean(axis=2),
    }
    totals = dict.fromkeys(measured, 0.0)
    groups, counts = np.unique(np.stack([log.context, log.phase]), axis=1, return_counts=True)
    for (context, phase), count in zip(groups.T.tolist(), counts.tolist(), strict=True):
        queries = problem.queries_of(log.contexts[context])
        rows = phase * table.n_queries + queries
        asked = Asked([table.query_ids[query] for query in queries], cells.available[rows], np.full(len(rows), phase))
        chances: Floats = policy(asked)[None]
        for name, values in measured.items():
            totals[name] += count / len(log) * float(expected(chances, values[rows]).mean())
    return totals
