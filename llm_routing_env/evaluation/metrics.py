"""The measures that agents are judged by, per session and with intervals."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.statistics import NOTHING, Bootstrap, Interval

Floats = NDArray[np.float64]
NEAR_BEST = 0.02
METRICS = (
    "reward",
    "regret",
    "accuracy",
    "session_cost_usd",
    "latency_s",
    "queries_to_commit",
    "committed",
    "correct_commit",
    "within_0.02_of_best",
)


def per_session(log: SessionLog, expected_rewards: Floats, *, commits: bool) -> dict[str, Floats]:
    """Return every metric's value for each session; NaN where it has none.

    Args:
        log: What happened.
        expected_rewards: Each LLM's expected reward in the context, shape (LLMs,).
        commits: Whether the agent committed in any session: without, the commit metrics mean nothing.
    """
    n_sessions = len(log.rewards)
    near = expected_rewards >= expected_rewards.max() - NEAR_BEST
    correct = (log.commitments == np.argmax(expected_rewards)).astype(np.float64)
    return {
        "reward": log.rewards.mean(axis=1),
        "regret": log.measures["regret"].sum(axis=1),
        "accuracy": log.measures["accuracy"].mean(axis=1),
        "session_cost_usd": log.measures["cost_usd"].sum(axis=1),
        "latency_s": log.measures["latency_s"].mean(axis=1),
        "queries_to_commit": log.commit_steps,
        "committed": (log.commitments >= 0).astype(np.float64),
        "correct_commit": correct if commits else np.full(n_sessions, np.nan),
        "within_0.02_of_best": log.final_probabilities[:, near].sum(axis=1),
    }


def intervals(
    values: Mapping[str, Mapping[str, Floats]],
    fixed: Mapping[str, Floats],
    oracle: Mapping[str, Floats],
    bootstrap: Bootstrap,
) -> dict[str, Interval]:
    """Return every metric with its interval, contexts weighted equally.

    Args:
        values: Per context, the agent's per-session metrics.
        fixed: Per context, the best fixed LLM's rewards on the same sessions.
        oracle: Per context, the oracle's.
        bootstrap: Resamples of these contexts' sessions.
    """
    result = {name: bootstrap.mean([metrics[name] for metrics in values.values()]) for name in METRICS}
    paired = [np.stack([values[c]["reward"], fixed[c], oracle[c]], axis=1) for c in values]
    gap = float(np.mean([rows[:, 2].mean() - rows[:, 1].mean() for rows in paired]))
    # Where the best fixed LLM is the oracle, there is no gap to close.
    result["oracle_gap_closed"] = bootstrap.statistic(paired, _gap_closed) if gap > 1e-9 else NOTHING
    return result


def _gap_closed(means: Floats) -> Floats:
    gaps = means[..., 2] - means[..., 1]
    return np.asarray((means[..., 0] - means[..., 1]) / np.where(gaps == 0, np.nan, gaps))
