"""Judging: what random choice is worth, groups of contexts, and who influences whom."""

import numpy as np
import pytest
from tables import random_table

from llm_routing_env.envs import PickLLMEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.judging import POOLED, judge, random_rewards
from llm_routing_env.evaluation.metrics import METRICS
from llm_routing_env.evaluation.references import BEST_FIXED, ORACLE, choose_references
from llm_routing_env.evaluation.sessions import SessionLog, draw_sessions, reference_log
from llm_routing_env.evaluation.statistics import Interval

TABLE = random_table()
PROBLEM = RoutingProblem(TABLE, observation="none")
SEEDS = {context: list(range(10 * number, 10 * number + 8)) for number, context in enumerate(PROBLEM.contexts)}
LENGTH = 12
Judged = dict[str, dict[str, dict[str, Interval]]]


def drawn(context: str):
    return draw_sessions(PROBLEM, SEEDS[context], context=context, length=LENGTH)


def logs(contexts: tuple[str, ...] = PROBLEM.contexts) -> dict[str, dict[str, SessionLog]]:
    return {
        name: {c: reference_log(PROBLEM, actions, *drawn(c)) for c in contexts}
        for name, actions in choose_references(PROBLEM).actions.items()
    }


def judged(of: dict[str, dict[str, SessionLog]], seed: int = 0) -> Judged:
    random = {c: random_rewards(PROBLEM, *drawn(c)) for c in of[BEST_FIXED]}
    return judge(PROBLEM, of, random, seed)


def test_random_choice_is_worth_what_the_llms_get_on_average():
    """On the sessions that an agent faces: asked one by one, each LLM in a session of its own."""
    env = PickLLMEnv(table=TABLE, observation="none")
    rewards = np.zeros((len(SEEDS["art"]), 4, LENGTH))
    for session, seed in enumerate(SEEDS["art"]):
        for llm in range(4):
            env.reset(seed=seed, options={"context": "art"})
            rewards[session, llm] = [env.step(llm)[1] for _ in range(LENGTH)]
    found = random_rewards(PROBLEM, *drawn("art"))
    np.testing.assert_allclose(found, rewards.mean(axis=(1, 2)))


def test_every_group_has_every_metric():
    found = judged(logs())
    for groups in found.values():
        assert list(groups) == [POOLED, *PROBLEM.contexts]
        assert all(metrics.keys() == set(METRICS) for metrics in groups.values())
    assert found[ORACLE][POOLED]["oracle_gap_closed"] == pytest.approx({"mean": 1.0, "low": 1.0, "high": 1.0})


def test_all_contexts_together_are_the_mean_of_each():
    for groups in judged(logs()).values():
        means = [groups[context]["reward_minus_random"]["mean"] for context in PROBLEM.contexts]
        assert groups[POOLED]["reward_minus_random"]["mean"] == pytest.approx(np.mean(means))


def test_the_llms_together_are_as_good_as_random():
    found = judged(logs())
    gains = [found[f"always {name}"][POOLED]["reward_minus_random"]["mean"] for name in TABLE.llm_names]
    assert np.mean(gains) == pytest.approx(0.0, abs=1e-12)


def test_who_else_is_judged_changes_nothing():
    """An agent that failed has no logs, and another comparison may have fewer contexts."""
    everything = judged(logs())
    fewer = judged({name: of_agent for name, of_agent in logs().items() if name != "always llm-2"})
    assert fewer.keys() == everything.keys() - {"always llm-2"}
    for name in fewer:
        for metric in METRICS:
            assert fewer[name][POOLED][metric] == pytest.approx(everything[name][POOLED][metric]), metric
    for name, groups in judged(logs(("chess",))).items():
        for metric in METRICS:
            assert groups["chess"][metric] == pytest.approx(everything[name]["chess"][metric]), metric


def test_the_same_seed_gives_the_same_intervals():
    assert judged(logs()) == judged(logs())
    assert judged(logs()) != judged(logs(), seed=1)
