"""Metrics by hand, and their intervals."""

from dataclasses import replace

import numpy as np
import pytest

from llm_routing_env.evaluation.metrics import METRICS, SESSION_METRICS, per_session, with_intervals
from llm_routing_env.evaluation.references import BEST_FIXED, ORACLE
from llm_routing_env.evaluation.sessions import SessionLog
from llm_routing_env.evaluation.statistics import NOTHING, Bootstrap, Interval

LOG = SessionLog(
    actions=np.array([[0, 1], [1, 1]]),
    rewards=np.array([[1.0, 0.0], [0.5, 0.5]]),
    measures={
        "accuracy": np.array([[1.0, 0.0], [1.0, 1.0]]),
        "cost_usd": np.array([[1e-5, 2e-5], [3e-5, 3e-5]]),
        "latency_s": np.array([[0.1, 0.3], [0.2, 0.2]]),
        "regret": np.array([[0.0, 0.2], [0.2, 0.2]]),
    },
    final_probabilities=np.array([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]]),
    commit_steps=np.array([np.nan, 1.0]),
    commitments=np.array([-1, 1]),
)
EXPECTED_REWARDS = np.array([0.5, 0.3, 0.49])


def values(log: SessionLog, *, commits: bool = True) -> dict[str, np.ndarray]:
    return per_session(
        log, EXPECTED_REWARDS, best_fixed=np.array([0.25, 0.75]), random=np.array([0.5, 0.25]), commits=commits
    )


def test_metrics_by_hand():
    expected = {
        "reward": [0.5, 0.5],
        "regret": [0.2, 0.4],
        "accuracy": [0.5, 1.0],
        "session_cost_usd": [3e-5, 6e-5],
        "latency_s": [0.2, 0.2],
        "optimal_arm_rate": [0.5, 0.0],
        "queries_to_commit": [np.nan, 1.0],
        "committed": [0.0, 1.0],
        "correct_commit": [0.0, 0.0],
        "within_0.02_of_best": [0.8, 0.0],  # LLMs 0 and 2 are within 0.02 of the best
        "reward_minus_best_fixed": [0.25, -0.25],
        "reward_minus_random": [0.0, 0.25],
    }
    found = values(LOG)
    assert found.keys() == expected.keys() == set(SESSION_METRICS)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, err_msg=name)


def test_an_agent_that_never_commits_has_no_wrong_commitments():
    assert np.isnan(values(LOG, commits=False)["correct_commit"]).all()


def test_where_regrets_are_not_known_neither_is_the_optimal_arm():
    unknown = replace(LOG, measures=LOG.measures | {"regret": np.full((2, 2), np.nan)})
    assert np.isnan(values(unknown)["optimal_arm_rate"]).all()


def test_llms_that_are_equally_good_are_all_the_optimal_arm():
    tied = replace(LOG, measures=LOG.measures | {"regret": np.array([[0.0, 1e-17], [0.0, 0.0]])})
    np.testing.assert_array_equal(values(tied)["optimal_arm_rate"], [1.0, 1.0])


def judged(rewards: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, Interval]]:
    """Judge agents by name, then context, of which only each session's reward is told; random gets 0.1 everywhere."""
    contexts = list(rewards[BEST_FIXED])
    agents = {
        name: {
            context: {metric: np.full(len(of_context), np.nan) for metric in SESSION_METRICS}
            | {
                "reward": np.array(of_context),
                "reward_minus_best_fixed": np.subtract(of_context, rewards[BEST_FIXED][context]),
                "reward_minus_random": np.array(of_context) - 0.1,
            }
            for context, of_context in by_context.items()
        }
        for name, by_context in rewards.items()
    }
    sizes = [len(rewards[BEST_FIXED][context]) for context in contexts]
    return with_intervals(agents, contexts, Bootstrap(sizes, np.random.default_rng(0)))


TWO_CONTEXTS = {
    BEST_FIXED: {"a": [0.1, 0.3], "b": [0.5, 0.5]},
    ORACLE: {"a": [0.9, 0.9], "b": [0.8, 0.8]},
    "agent": {"a": [0.2, 0.4], "b": [0.7, 0.4]},
}


def test_pooled_metrics_by_hand():
    found = judged(TWO_CONTEXTS)["agent"]
    assert found.keys() == set(METRICS)
    expected = {
        "reward": (0.3 + 0.55) / 2,
        "reward_minus_best_fixed": (0.1 + 0.05) / 2,
        "reward_minus_random": (0.2 + 0.45) / 2,
        "reward_iqm": 0.4,  # of 0.2, 0.4, 0.4, 0.7
        "probability_better_than_best_fixed": (3 / 4 + 1 / 2) / 2,
        "oracle_gap_closed": 0.075 / ((0.7 + 0.3) / 2),
    }
    for name, value in expected.items():
        assert found[name]["mean"] == pytest.approx(value), name
    assert found["queries_to_commit"] == NOTHING


def test_a_constant_lead_over_the_best_fixed_llm_has_a_certain_difference():
    """On the same sessions, however much the rewards vary between them."""
    found = judged(TWO_CONTEXTS | {"agent": {"a": [0.2, 0.4], "b": [0.6, 0.6]}})["agent"]
    assert found["reward"]["high"] - found["reward"]["low"] == pytest.approx(0.1)
    assert found["reward_minus_best_fixed"] == pytest.approx({"mean": 0.1, "low": 0.1, "high": 0.1})


def test_references_against_themselves():
    found = judged(TWO_CONTEXTS)
    assert found[BEST_FIXED]["reward_minus_best_fixed"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found[BEST_FIXED]["probability_better_than_best_fixed"]["mean"] == 0.5
    assert found[BEST_FIXED]["oracle_gap_closed"] == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert found[ORACLE]["oracle_gap_closed"] == {"mean": 1.0, "low": 1.0, "high": 1.0}


@pytest.mark.parametrize("oracle", [[0.1, 0.3], [0.3, 0.1]])  # the best fixed LLM, or not clearly better than it
def test_without_a_gap_to_the_oracle_no_share_of_it_is_closed(oracle: list[float]):
    rewards = {BEST_FIXED: {"a": [0.1, 0.3]}, ORACLE: {"a": oracle}, "agent": {"a": [0.2, 0.2]}}
    assert judged(rewards)["agent"]["oracle_gap_closed"] == NOTHING


def test_one_session_of_one_context():
    found = judged({BEST_FIXED: {"a": [0.5]}, ORACLE: {"a": [1.0]}, "agent": {"a": [0.75]}})["agent"]
    assert found["reward"] == found["reward_iqm"] == {"mean": 0.75, "low": 0.75, "high": 0.75}
    assert found["oracle_gap_closed"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert found["probability_better_than_best_fixed"]["mean"] == 1.0


def test_equal_rewards_everywhere():
    same = {"a": [0.5, 0.5], "b": [0.5, 0.5]}
    found = judged({BEST_FIXED: same, ORACLE: same, "agent": same})["agent"]
    assert found["reward_iqm"] == found["reward"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
    assert found["probability_better_than_best_fixed"] == {"mean": 0.5, "low": 0.5, "high": 0.5}
