"""Comparisons: common random numbers, determinism, and convergence on the real table."""

import json

import numpy as np
import pytest
from tables import random_table

from llm_routing_env.agents.base import Agent
from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.sessions import draw_sessions, reference_log, run_sessions

TABLE = random_table(per_context=40)


def test_references_face_the_sessions_that_agents_face():
    problem_env = PickLLMVectorEnv(4, 20, "DISABLED", TABLE, observation="none")
    seeds = [3, 1, 4, 1]
    always_two = np.full(TABLE.n_queries, 2)
    reference = reference_log(
        problem_env.problem, always_two, *draw_sessions(problem_env.problem, seeds, context="art", length=20)
    )

    class AlwaysTwo(Agent):
        def _probabilities(self, observation, allowed):
            return np.eye(4)[np.full(len(observation), 2)]

    run = run_sessions(problem_env, AlwaysTwo(problem_env.task, n_sessions=4), seeds, contexts=["art"] * 4)
    np.testing.assert_array_equal(run.rewards, reference.rewards)
    for name, values in run.measures.items():
        np.testing.assert_allclose(values, reference.measures[name], atol=1e-12, err_msg=name)


def test_the_same_seed_gives_the_same_document_and_agents_do_not_influence_each_other():
    def rows(agents: list[str], seed: int = 0) -> dict[str, str]:
        result = compare(agents, n_sessions=8, length=15, table=TABLE, seed=seed).document()
        json.dumps(result)
        return {row["agent"] + row["context"]: json.dumps(row) for row in result["agents"]}

    both, alone = rows(["epsilon_greedy_q", "random"]), rows(["random"])
    assert both == rows(["epsilon_greedy_q", "random"])
    assert alone.items() <= both.items()
    assert alone != rows(["random"], seed=1)


def test_the_oracle_is_above_the_per_context_best_and_random_closes_no_gap():
    metrics = compare(["random"], n_sessions=30, length=25, table=TABLE).metrics
    rewards = {name: by_context["all"]["reward"]["mean"] for name, by_context in metrics.items()}
    assert rewards[ORACLE] > max(value for name, value in rewards.items() if name != ORACLE)
    assert metrics[ORACLE]["all"]["oracle_gap_closed"]["mean"] == pytest.approx(1.0)
    assert metrics[BEST_FIXED]["all"]["oracle_gap_closed"]["mean"] == pytest.approx(0.0)


def test_unknown_agents_and_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="epsilon_greedy_q"):
        compare(["epsilon_greedy"], table=TABLE)
    with pytest.raises(ValueError, match="session length must be 1 or more, got 0"):
        compare(["random"], length=0, table=TABLE)
    with pytest.raises(ValueError, match="sessions must be 1 or more"):
        compare(["random"], n_sessions=0, table=TABLE)


@pytest.mark.parametrize(
    ("reward", "some", "other"),
    [
        ("pickllm", (1, 0, 0.5), (1, 3, 0.5)),
        ("additive", (1, 0, 0.5), (1, 3, 0.5)),
        ("additive", (1, 0.5, 0), (1, 0.5, 3)),
    ],
)
def test_weights_lead_sessions_to_different_llms(reward: str, some: tuple[float, ...], other: tuple[float, ...]):
    """Cost weight in both forms, latency weight in the additive one."""

    def usual_commitments(weights: tuple[float, ...]) -> list[int]:
        logs = compare(["epsilon_greedy_q"], n_sessions=20, reward=reward, weights=weights).logs["epsilon_greedy_q"]
        return [int(np.bincount(log.commitments[log.commitments >= 0]).argmax()) for log in logs.values()]

    assert usual_commitments(some) != usual_commitments(other)


def test_the_papers_agents_converge_on_outcomes_of_real_llms():
    """On the shipped table both learners beat random choice clearly, and the headroom is what the pool was made for."""
    metrics = compare(["learning_automaton", "epsilon_greedy_q", "random"], n_sessions=40).metrics

    def pooled(name: str, metric: str, key: str = "mean") -> float:
        return metrics[name]["all"][metric][key]

    for learner in ("learning_automaton", "epsilon_greedy_q"):
        assert pooled(learner, "reward", "low") > pooled("random", "reward", "high")
        assert pooled(learner, "session_cost_usd", "high") < pooled("random", "session_cost_usd", "low")
        assert pooled(learner, "correct_commit") > 0.5
    assert pooled(CONTEXT_BEST, "reward", "low") > pooled(BEST_FIXED, "reward", "high")
