"""Comparisons: who takes part, what is said of them and of the table, and convergence on the real one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tables import queries, random_table, records

from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(per_context=40)


def test_an_agent_that_committed_before_it_was_asked_is_said_to():
    metrics = compare(["cheapest"], n_sessions=3, length=5, table=TABLE).metrics["cheapest"]["all"]
    assert metrics["median_queries_to_commit"]["mean"] == 0.0
    assert metrics["committed"]["mean"] == 1.0


def test_an_agent_that_maximises_something_else_is_not_ranked_by_reward():
    result = compare(["zero_router", "random"], n_sessions=3, length=5, table=TABLE)
    assert result.ranked == ["random"]
    assert result.verdicts["zero_router"].startswith("maximises accuracy, not the reward; ")
    assert [row["maximises"] for row in result.document()["agents"]][::4] == ["accuracy", "reward"]


def test_an_agent_can_be_compared_with_itself():
    result = compare(
        ["ucb1", "wide=ucb1", "narrow=ucb1"],
        n_sessions=10,
        length=25,
        table=TABLE,
        parameters={"narrow": {"c": 0.01}},
    )
    assert result.agents == ["ucb1", "wide", "narrow"]
    assert result.against("wide", "ucb1") == "no better than ucb1: the same reward on every query"
    assert result.against("narrow", "ucb1") != result.against("wide", "ucb1")
    assert {row["agent"] for row in result.document()["agents"]} == {"ucb1"}


@pytest.mark.parametrize("agents", [["ucb1", "ucb1"], ["a=ucb1", "a=random"]])
def test_an_agent_named_twice_is_refused_before_anything_runs(agents: list[str]):
    with pytest.raises(ValueError, match="is named twice"):
        compare(agents, table=TABLE)


@pytest.mark.parametrize(
    "name",
    [
        *("random", "ppo", "per-query oracle", "Per-query  Oracle", "always llm-0", "uniformly at random", "all", " "),
        *("a\nb", "ppo (online)", "x@online", "my:Agent"),
    ],
)
def test_no_agent_takes_the_name_of_another_row(name: str):
    with pytest.raises(ValueError, match="cannot be called"):
        compare([f"{name}=ucb1"], table=TABLE)


def test_parameters_of_nobody_are_refused():
    with pytest.raises(ValueError, match=r"'ucb'.*Did you mean 'ucb1'"):
        compare(["ucb1"], table=TABLE, parameters={"ucb": {"c": 1.0}})
    for wrong in (2.5, True, "3"):
        with pytest.raises(ValueError, match=f"sessions must be 1 or more and a whole number, got {wrong!r}"):
            compare(["ucb1"], table=TABLE, n_sessions=wrong)
    with pytest.raises(ValueError, match="seed must be 0 or more and a whole number, got '3'"):
        compare(["ucb1"], table=TABLE, seed="3")
    json.dumps(compare(["ucb1"], table=TABLE, n_sessions=np.int64(2), length=5).document())


def test_a_pretrained_agent_is_judged_by_several_trainings():
    """Exactly, on every query: sessions do not enter its numbers; a fit without chance is one training."""
    result = compare(["mlp_router", "linear_router"], n_sessions=2, context="code")
    assert result.sources["mlp_router"] == ("queries", "training seeds")
    assert result.sources["linear_router"] == ("queries",)
    more = compare(["mlp_router"], n_sessions=9, context="code")
    assert result.metrics["mlp_router"]["code"] == more.metrics["mlp_router"]["code"]
    one = compare(["mlp_router"], n_sessions=2, context="code", training_seeds=1)
    assert one.metrics["mlp_router"] != result.metrics["mlp_router"]


def test_a_contexts_row_is_judged_beside_the_contexts_own_best_llm():
    """Nobody beats, in one context, an LLM that is only best over all of them."""
    result = compare(["random"], n_sessions=30, table="nano", context="finance")
    assert result.references.best_fixed == "calc-0.6m"
    assert "worse than always calc-0.6m" in result.verdicts["random"]
    pooled = compare(["random"], n_sessions=30, table="nano")
    assert pooled.metrics["random"]["finance"]["oracle_gap_closed"]["mean"] < 0


def test_two_sessions_are_no_evidence():
    result = compare(["random", "mlp_router"], n_sessions=2, length=20, table="nano", context="math")
    assert result.verdicts["random"].startswith("no verdict: 2 sessions per context")
    assert result.against("random", "mlp_router").startswith("no verdict")
    assert not result.verdicts["mlp_router"].startswith("no verdict")


def test_what_was_not_measured_stands_in_the_document():
    asked = queries(12)
    llms = ("x", "y")
    rows_of_table = records(asked, llms, np.ones((36, 2, 1)), 1e-5, 0.1)
    simulated = OutcomeTable.from_records(
        asked, llms, rows_of_table, {"latency": "simulated: drawn", "notes": ["Odd."]}
    )
    document = compare(["random"], n_sessions=2, length=3, table=simulated).document()
    assert document["table"]["notes"] == ["The latency is simulated: drawn.", "Odd."]
    assert document["lengths"] == {"art": 3, "biology": 3, "chess": 3}
    assert document["queries"] == {"art": 8, "biology": 8, "chess": 8}


def test_the_oracle_is_above_the_per_context_best_and_random_closes_no_gap():
    metrics = compare(["random"], n_sessions=30, length=25, table=TABLE).metrics
    rewards = {name: by_context["all"]["reward"]["mean"] for name, by_context in metrics.items()}
    assert rewards[ORACLE] > max(value for name, value in rewards.items() if name != ORACLE)
    assert metrics[ORACLE]["all"]["oracle_gap_closed"]["mean"] == pytest.approx(1.0)
    assert metrics[BEST_FIXED]["all"]["oracle_gap_closed"]["mean"] == pytest.approx(0.0)


def test_unknown_agents_and_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="epsilon_greedy_q"):
        compare(["epsilon_greedy"], table=TABLE)
    with pytest.raises(ValueError, match="session length must be 1 or more and a whole number, got 0"):
        compare(["random"], length=0, table=TABLE)
    with pytest.raises(ValueError, match="sessions must be 1 or more"):
        compare(["random"], n_sessions=0, table=TABLE)
    with pytest.raises(ValueError, match="training seeds must be 1 or more"):
        compare(["random"], training_seeds=0, table=TABLE)


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
        assert pooled(learner, "committed") - pooled(learner, "wrong_commit") > 0.5
    assert pooled(CONTEXT_BEST, "reward", "low") > pooled(BEST_FIXED, "reward", "high")


def odd_table(n_queries: int, n_llms: int, split: str | None, cost: float) -> OutcomeTable:
    asked = queries(n_queries, ["art"])
    asked = asked if split is None else QuerySet(replace(query, split=split) for query in asked)
    llms = [f"llm-{number}" for number in range(n_llms)]
    right = np.random.default_rng(0).integers(0, 2, (n_queries, n_llms, 1))
    return OutcomeTable.from_records(asked, llms, records(asked, llms, right, cost, 0.1), {})


@pytest.mark.parametrize("reward", ["pickllm", "additive"])
@pytest.mark.parametrize(
    ("n_queries", "n_llms", "split", "cost"),
    [(1, 2, "test", 1e-5), (30, 1, None, 1e-5), (30, 2, "test", 1e-5), (30, 2, None, 0.0), (1, 1, "test", 0.0)],
    ids=["one query", "one LLM", "no train split", "all free", "one of each, free"],
)
def test_tables_with_next_to_nothing_in_them_are_compared(reward, n_queries, n_llms, split, cost):
    table = odd_table(n_queries, n_llms, split, cost)
    result = compare(["learning_automaton", "ucb1"], table=table, n_sessions=1, length=5, reward=reward)
    assert not result.failures
    assert all(said.startswith("no verdict: 1 session per context") for said in result.verdicts.values())
    assert json.loads(json.dumps(result.document(), allow_nan=False))


def test_a_table_without_a_test_split_says_where_its_queries_are():
    with pytest.raises(ValueError, match="no query in the split 'test'"):
        compare(["ucb1"], table=odd_table(30, 2, "train", 1e-5))
    assert compare(["ucb1"], table=odd_table(30, 2, "train", 1e-5), split="train", n_sessions=2, length=5).agents
