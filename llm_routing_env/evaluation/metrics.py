"""The measures that agents and references are judged by."""

import numpy as np

from llm_routing_env.evaluation.intervals import ROUNDING
from llm_routing_env.evaluation.sessions import N_ASKS, Floats, SessionLog

# Means of a value per query, in the order that tables show; "session_" ones are sums over a session.
OF_QUERIES = {
    "reward": "reward",
    "regret": "regret",
    "accuracy": "accuracy",
    "session_cost_usd": "cost_usd",
    "latency_s": "latency_s",
    "optimal_arm_rate": "is_best",
}
SUMMED = ("regret", "session_cost_usd")
# Differences of rewards, paired, and what follows from them.
OF_DIFFERENCES = ("reward_minus_best_fixed", "reward_minus_chosen_fixed", "reward_minus_random", "oracle_gap_closed")
# Of whole sessions: only agents that learn while they route have them.
OF_SESSIONS = ("committed", "wrong_commit", "within_0.02_of_best", "sessions_above_best_fixed")
NEAR_BEST = 0.02  # rewards so close to the best count as it
MEDIAN_COMMIT = "median_queries_to_commit"
LATENCY_QUANTILES = {"latency_p50_s": 0.5, "latency_p95_s": 0.95}
METRICS = (*OF_QUERIES, *LATENCY_QUANTILES, *OF_DIFFERENCES, *OF_SESSIONS, MEDIAN_COMMIT)


def of_sessions(log: SessionLog, expected: Floats, at_the_end: Floats, best_fixed: Floats) -> dict[str, Floats]:
    """Return each of `OF_SESSIONS` for every session; NaN where it has none.

    Args:
        log: What happened.
        expected: Each LLM's expected reward over a session of the context, NaN where it is not known, shape (LLMs,).
        at_the_end: The same in the last step of each session, NaN for those that cannot be asked then, shape
            (sessions, LLMs).
        best_fixed: The mean reward of the best fixed LLM on the same sessions, shape (sessions,).
    """
    has_committed = log.commitments >= 0
    is_wrong = has_committed & (expected[log.commitments] < np.nanmax(expected) - ROUNDING)
    can_commit = 1.0 if N_ASKS not in log.measures else np.nan  # who may ask several LLMs settles on none
    is_near = at_the_end >= np.nanmax(at_the_end, axis=1, keepdims=True) - NEAR_BEST
    gain = log.rewards.mean(axis=1) - best_fixed
    return {
        "committed": has_committed * can_commit,
        "wrong_commit": is_wrong * can_commit,
        "within_0.02_of_best": np.where(is_near, log.final_probabilities, 0.0).sum(axis=1),
        "sessions_above_best_fixed": np.where(np.abs(gain) <= ROUNDING, 0.5, gain > 0),
    }


def queries_to_commit(log: SessionLog) -> Floats:
    """Return after how many queries each session committed, infinity where it did not, shape (sessions,)."""
    return np.where(np.isnan(log.commit_steps), np.inf, log.commit_steps)
