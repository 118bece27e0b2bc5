"""Intervals of nominally 95 % hold the truth about as often, over many logs whose truth the table knows."""

import numpy as np
import pytest

from llm_routing_env.envs.problem import MIXED, RoutingProblem
from llm_routing_env.evaluation.off_policy import Logged, cross_fitted, estimate

N_LOGS, N_STEPS = 300, 200


@pytest.mark.parametrize("sessions", [1, 4])
def test_intervals_hold_the_truth_of_a_uniform_log(nano: RoutingProblem, sessions: int):
    """Queries are drawn with replacement, as from many more; with 4 sessions each is asked four times."""
    queries = nano.queries_of(MIXED)
    rewards, features = nano.reward_table.rewards[queries], nano.observations[queries].astype(float)
    llm_of_context = np.array([0, 1, 2, 2, 1, 0])
    target = np.eye(4)[llm_of_context[features.argmax(axis=1)]]
    truth = (target * rewards.mean(axis=2)).sum(axis=1).mean()
    held = {"ips": 0, "snips": 0, "dr": 0, "sndr": 0}
    rng = np.random.default_rng(0)
    for _ in range(N_LOGS):
        rows = np.tile(rng.integers(len(queries), size=N_STEPS), sessions)
        action, repeat = rng.integers(4, size=len(rows)), rng.integers(rewards.shape[2], size=len(rows))
        got, query = rewards[rows, action, repeat], np.tile(np.arange(N_STEPS), sessions)
        model = cross_fitted(got, action, query, features[rows], 4)
        logged = Logged(got, action, np.full(len(rows), 0.25), target[rows], query, model)
        for name in held:
            found = estimate(name, logged)
            held[name] += found["low"] <= truth <= found["high"]
    for name, count in held.items():
        assert 0.92 <= count / N_LOGS <= 0.98, name
