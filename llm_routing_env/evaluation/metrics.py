"""The measures that agents are judged by, per session and with intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.evaluation.references import BEST_FIXED, ORACLE
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.statistics import NOTHING, Bootstrap, Interval, interval, intervals

Floats = NDArray[np.float64]
NEAR_BEST = 0.02
ROUNDING = 1e-9  # smaller differences of rewards are none
SESSION_METRICS = (
    "reward",
    "regret",
    "accuracy",
    "session_cost_usd",
    "latency_s",
    "optimal_arm_rate",
    "queries_to_commit",
    "committed",
    "correct_commit",
    "within_0.02_of_best",
    "reward_minus_best_fixed",
    "reward_minus_random",
)
METRICS = (*SESSION_METRICS, "reward_iqm", "probability_better_than_best_fixed", "oracle_gap_closed")


def per_session(
    log: SessionLog, expected_rewards: Floats, *, best_fixed: Floats, random: Floats, commits: bool
) -> dict[str, Floats]:
    """Return each of `SESSION_METRICS` for every session; NaN where it has none.

    Args:
        log: What happened.
        expected_rewards: Each LLM's expected reward in the context, shape (LLMs,).
        best_fixed: What the best fixed LLM gets on the same sessions, as each one's mean reward, shape (sessions,).
        random: What a uniformly random choice can expect on them, likewise.
        commits: Whether the agent committed in any session: without, the commit metrics mean nothing.
    """
    n_sessions = len(log.rewards)
    near = expected_rewards >= expected_rewards.max() - NEAR_BEST
    correct = (log.commitments == np.argmax(expected_rewards)).astype(np.float64)
    regret, reward = log.measures["regret"], log.rewards.mean(axis=1)
    return {
        "reward": reward,
        "regret": regret.sum(axis=1),
        "accuracy": log.measures["accuracy"].mean(axis=1),
        "session_cost_usd": log.measures["cost_usd"].sum(axis=1),
        "latency_s": log.measures["latency_s"].mean(axis=1),
        # By regret, so that two LLMs that are equally good are both the best.
        "optimal_arm_rate": np.where(np.isnan(regret), np.nan, regret <= ROUNDING).mean(axis=1),
        "queries_to_commit": log.commit_steps,
        "committed": (log.commitments >= 0).astype(np.float64),
        "correct_commit": correct if commits else np.full(n_sessions, np.nan),
        "within_0.02_of_best": log.final_probabilities[:, near].sum(axis=1),
        "reward_minus_best_fixed": reward - best_fixed,
        "reward_minus_random": reward - random,
    }


def with_intervals(
    agents: Mapping[str, Mapping[str, Mapping[str, Floats]]], contexts: Sequence[str], bootstrap: Bootstrap
) -> dict[str, dict[str, Interval]]:
    """Return each of `METRICS` of every agent and reference with its interval, contexts weighted equally.

    Args:
        agents: By agent or reference, then context: its `SESSION_METRICS`.
        contexts: Those to take together.
        bootstrap: Resamples of these contexts' sessions.
    """
    keys = [(name, metric) for name in agents for metric in SESSION_METRICS]
    values = [np.column_stack([agents[name][context][metric] for name, metric in keys]) for context in contexts]
    draws = bootstrap.mean_draws(values)
    found, drawn = (dict(zip(keys, rows, strict=True)) for rows in (intervals(draws), draws))
    headroom = drawn[ORACLE, "reward_minus_best_fixed"]
    # The share of a gap that may be none would have an interval without end.
    has_headroom = (found[ORACLE, "reward_minus_best_fixed"]["low"] or 0.0) > ROUNDING
    rewards = {name: [metrics[context]["reward"] for context in contexts] for name, metrics in agents.items()}
    result = {}
    for name, ours in rewards.items():
        closed = _share(drawn[name, "reward_minus_best_fixed"], headroom) if has_headroom else NOTHING
        result[name] = {metric: found[name, metric] for metric in SESSION_METRICS} | {
            "reward_iqm": bootstrap.iqm(ours),
            "probability_better_than_best_fixed": bootstrap.probability_of_improvement(ours, rewards[BEST_FIXED]),
            "oracle_gap_closed": closed,
        }
    return result


def _share(gained: Floats, gap: Floats) -> Interval:
    return interval(np.divide(gained, gap, out=np.full(gap.shape, np.nan), where=gap > ROUNDING))
