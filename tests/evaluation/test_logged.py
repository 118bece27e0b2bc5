"""Agents that learned from a log: uniform choices on the train split, or a file."""

import json
from pathlib import Path

import numpy as np
import pytest
from tables import random_table, sparse_table, write_random_table

from llm_routing_env.agents import make_agent
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.contestants import AgentContestant
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.past import past_rng, read_past, uniform_log
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.step_logs import write_steps
from llm_routing_env.evaluation.tuning import tune
from llm_routing_env.report.words import about_intervals

TABLE = random_table(per_context=40)
SEEN = {"observation": "features"}


@pytest.fixture
def logs(tmp_path):
    """Return a function that logs random choices on a split of a table, with its path."""

    def write(table, split="train", agents=("random",), propensities=True, **options):
        result = compare(
            list(agents), n_sessions=3, length=20, table=table, split=split, propensities=propensities, **options
        )
        write_steps(result, tmp_path / "log.parquet")
        return str(tmp_path / "log.parquet")

    return write


def test_a_uniform_log_asks_each_train_query_once_at_equal_chances():
    problem = RoutingProblem(TABLE, observation="features", split="train")
    log = uniform_log(problem, past_rng(0, "x"))
    train = TABLE.select(None, "train")
    assert len(log) == len(train)
    np.testing.assert_array_equal(log.propensities, 0.25)
    assert sorted(map(tuple, log.observations.tolist())) == sorted(map(tuple, problem.observations[train].tolist()))
    counts = np.bincount(
        np.concatenate([uniform_log(problem, past_rng(0, f"{n}")).actions for n in range(40)]), minlength=4
    )
    np.testing.assert_allclose(counts / counts.sum(), 0.25, atol=0.03)
    for row in range(5):
        means = {float(reward) for reward in problem.reward_table.rewards[:, log.actions[row]].ravel()}
        assert float(log.rewards[row]) in means


def test_a_learner_starts_each_session_from_its_log_and_learns_on():
    result = compare(["ucb1@logged", "ucb1"], n_sessions=3, length=10, table=TABLE)
    setting = Setting({"table": TABLE}, 10)
    (contestant,) = contestants(["ucb1@logged"], {})
    problem, seed = setting.problem(), result.seeds["chess"][1]
    agent = make_agent("ucb1", problem.task, n_sessions=1, seed=setting.session_seeds("ucb1", ["chess"], [seed]))
    agent.fit_log(uniform_log(setting.before().problem(), past_rng(0, f"chess/{seed}")))
    assert agent.n_updates == len(TABLE.select(None, "train"))
    first = int(np.asarray(agent.select_action(None)).item())
    assert result.logs["ucb1@logged"]["chess"].actions[1, 0] == first
    assert (contestant.protocol, contestant.is_frozen) == ("logged", False)
    assert result.sources["ucb1@logged"] == ("queries", "sessions")


def test_a_router_is_fitted_on_a_log_of_each_training_seed_and_frozen():
    given = {"parameters": {"linear_router@logged": SEEN}, "n_sessions": 3, "length": 10, "table": TABLE}
    result = compare(["linear_router@logged"], training_seeds=3, **given)
    assert result.sources["linear_router@logged"] == ("queries", "training seeds")
    assert result.contestants["linear_router@logged"].is_frozen
    alone = compare(["linear_router@logged", "random"], training_seeds=3, **given)
    assert alone.metrics["linear_router@logged"] == result.metrics["linear_router@logged"]


def test_numbers_do_not_depend_on_how_many_sessions_run_together(monkeypatch):
    given = {"n_sessions": 5, "length": 15, "table": TABLE}
    expected = json.dumps(compare(["thompson_beta@logged"], **given).document())
    monkeypatch.setattr(AgentContestant, "block_size", 3)
    monkeypatch.setattr(contestants(["ucb1@logged"], {})[0].__class__, "block_size", 2)
    assert json.dumps(compare(["thompson_beta@logged"], **given).document()) == expected


def test_on_a_table_with_holes_only_those_who_can_be_asked_are():
    table = sparse_table(per_context=40, missing_share=0.4)
    problem = RoutingProblem(table, observation="none", split="train")
    log = uniform_log(problem, past_rng(0, "x"))
    assert log.masks is not None
    np.testing.assert_allclose(log.propensities, 1 / log.masks.sum(axis=1))
    assert np.isfinite(log.rewards).all()
    entries = ["explore_then_commit@logged", "ucb1@lifelong", "linear_router@logged"]
    result = compare(entries, n_sessions=3, length=10, table=table, parameters={entries[2]: SEEN})
    assert not result.failures
    assert np.isfinite(result.life_curves["ucb1@lifelong"].best_fixed).all()


def test_the_past_knows_nothing_of_a_scenario():
    price = [{"event": "price", "llm": TABLE.llm_names[0], "step": 0, "factor": 5}]
    given = {"n_sessions": 3, "length": 10, "table": TABLE, "scenario": price}
    result = compare(["ucb1@logged", "ucb1@lifelong"], **given)
    assert not result.failures
    before = Setting({"table": TABLE, "scenario": price}).before().problem()
    assert before.scenario is None
    assert before.split == "train"


def test_a_log_of_a_file_is_everybodys_past(logs, tmp_path):
    path = write_random_table(tmp_path, per_context=40)
    log = logs(path, agents=("random", "ucb1"))
    problem = RoutingProblem(path, observation="none")
    data = read_past(log, problem)
    n_queries = len(problem.queries_of("mixed", "train"))
    assert len(data) == 2 * 3 * n_queries  # two agents, three sessions of all queries of each context
    assert data.begins.sum() == 2 * 3 * 3
    np.testing.assert_array_equal(data.propensities[: len(data) // 2], 0.25)
    entries = ["epsilon_greedy_q@logged", "linear_router@logged", "ucb1@lifelong"]
    result = compare(
        entries, n_sessions=4, length=10, table=path, log=log, lifetimes_from=log, parameters={entries[1]: SEEN}
    )
    assert not result.failures
    assert result.life_curves["ucb1@lifelong"].n_past == 0
    said = " ".join(about_intervals(result))
    assert f"learned from the log {log}" in said
    assert f"each through the log {log}, then judged" in said
    assert result.document()["past"]["log_sha256"] == result.document()["past"]["lifetimes_from_sha256"]


@pytest.mark.parametrize(
    ("written", "given", "message"),
    [
        ({"split": "test"}, {}, "rows of .* are of the test split, on which agents are judged"),
        ({"propensities": False, "agents": ["ucb1"]}, {}, "rows have no propensity"),
        ({"reward": "additive"}, {}, "was made with the reward 'additive' and weights .* give the log's --reward"),
        (
            {"cost_scale_usd": 0.5},
            {},
            "made with the reward's cost_scale_usd 0.5, not with .*: give cost_scale_usd=0.5",
        ),
        ({"t_scaling": 2.0}, {}, "made with the reward's t_scaling 2.0, not with 1.0: give t_scaling=2.0"),
        ({}, {"table": TABLE}, "The log is of the table .* not of the table in memory|The log is of the table"),
        ({}, {"agent": "ucb1"}, "--log is of logged agents, and none takes part: name one, as ucb1@logged"),
        ({}, {"split": "all"}, "they can only be judged on the test split"),
    ],
)
def test_a_log_that_is_no_past_is_refused(logs, tmp_path, written, given, message):
    path = write_random_table(tmp_path, per_context=40)
    log = logs(path, **written)
    agent = given.get("agent", "ucb1@logged")
    options = {name: value for name, value in given.items() if name != "agent"}
    with pytest.raises(ValueError, match=message):
        compare([agent], **{"n_sessions": 3, "length": 5, "table": path, "log": log, **options})


def test_a_log_of_another_scorer_is_refused(logs):
    log = logs("nano", scorer="cosine")
    with pytest.raises(ValueError, match="made with the scorer 'cosine', not with 'final_answer': give the log's --sc"):
        read_past(log, RoutingProblem("nano"))
    assert len(read_past(log, RoutingProblem("nano", scorer="cosine")))


def test_a_file_that_is_no_log_is_refused(tmp_path: Path):
    path = write_random_table(tmp_path, per_context=40)
    (tmp_path / "notes.txt").write_text("asked llm-1")
    with pytest.raises(ValueError, match="not a parquet file that can be read"):
        compare(["ucb1@logged"], n_sessions=3, length=5, table=path, log=str(tmp_path / "notes.txt"))
    with pytest.raises(FileNotFoundError):
        compare(["ucb1@lifelong"], n_sessions=3, length=5, table=path, lifetimes_from="nowhere.parquet")


def test_a_router_that_needs_every_llms_answer_is_refused():
    with pytest.raises(ValueError, match="matrix_factorisation takes no part as logged, only as pretrained"):
        compare(["matrix_factorisation@logged"], n_sessions=3, length=5, table=TABLE)


def test_those_who_have_learned_are_tuned_on_halves_of_the_train_split():
    setting = Setting({"table": TABLE}, length=10)
    found = tune({"ucb1@lifelong": {"c": [0.1, 1]}, "ucb1@logged": {"c": [0.1, 1]}}, setting, budget=4)
    assert all(reward is not None for tuned in found.values() for reward in tuned.rewards)
