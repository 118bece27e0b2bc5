"""Judge what agents and references did: every metric with its interval, for each context and for all together."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.metrics import per_session, with_intervals
from llm_routing_env.evaluation.references import BEST_FIXED
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.statistics import Bootstrap, Interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
POOLED = "all"


def random_rewards(problem: RoutingProblem, queries: Ints, repeats: Ints) -> Floats:
    """Return what choosing uniformly at random can expect as the mean reward of each session, shape (sessions,).

    Args:
        problem: The problem.
        queries: Of each session, shape (sessions, steps), see `draw_sessions`.
        repeats: Of each session, likewise.
    """
    of_each_llm: Floats = problem.reward_table.rewards.mean(axis=1)
    expected: Floats = of_each_llm[queries, repeats].mean(axis=1)
    return expected


def judge(
    problem: RoutingProblem, logs: Mapping[str, Mapping[str, SessionLog]], random: Mapping[str, Floats], seed: int
) -> dict[str, dict[str, dict[str, Interval]]]:
    """Judge agents and references on the same sessions, equally many in each context.

    Args:
        problem: What was routed.
        logs: By agent or reference, then context; the best fixed LLM and the oracle among them.
        random: For each context, the `random_rewards` of its sessions.
        seed: Of the intervals.

    Returns:
        By agent or reference, then "all" or context, then metric.
    """
    values = {name: _session_metrics(problem, of_agent, logs[BEST_FIXED], random) for name, of_agent in logs.items()}
    n_sessions = [len(rewards) for rewards in random.values()]
    # Every context has the same resamples, so that its intervals do not depend on which others are judged.
    pooled, single = (Bootstrap(sizes, np.random.default_rng(seed)) for sizes in (n_sessions, n_sessions[:1]))
    found = {POOLED: with_intervals(values, list(random), pooled)}
    found |= {context: with_intervals(values, [context], single) for context in random}
    return {name: {group: found[group][name] for group in found} for name in logs}


def _session_metrics(
    problem: RoutingProblem,
    logs: Mapping[str, SessionLog],
    best_fixed: Mapping[str, SessionLog],
    random: Mapping[str, Floats],
) -> dict[str, dict[str, Floats]]:
    commits = any((log.commitments >= 0).any() for log in logs.values())
    return {
        context: per_session(
            log,
            problem.expected_rewards(context),
            best_fixed=best_fixed[context].rewards.mean(axis=1),
            random=random[context],
            commits=commits,
        )
        for context, log in logs.items()
    }
