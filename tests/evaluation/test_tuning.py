"""Tuning: on the train split only, with the same budget for every agent."""

import numpy as np
import pytest
from tables import queries, random_table, records

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.tuning import _trial_setting, tune
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(per_context=60)


def test_trials_see_only_the_train_split_cut_into_halves():
    trial = _trial_setting(Setting({"table": TABLE, "split": "test"}, length=10, seed=3), is_fitted=True)
    problem = RoutingProblem(**trial.options, observation="none")
    ids = {query.query_id: query.split for query in problem.table.queries}
    assert ids.keys() == {query.query_id for query in TABLE.queries if query.split == "train"}
    assert [sum(split == half for split in ids.values()) for half in ("train", "test")] == [30, 30]
    assert trial.seed != 3
    of_query = {query.query_id: row for row, query in enumerate(TABLE.queries)}
    rows = [of_query[query_id] for query_id in ids]
    np.testing.assert_array_equal(problem.table.cost_usd, TABLE.cost_usd[rows])
    assert problem.table.cost_scale_usd == TABLE.cost_scale_usd


def test_agents_that_learn_online_are_tuned_on_the_whole_train_split_at_the_judged_length():
    """They fit nothing, so nothing has to be kept back from them."""
    trial = _trial_setting(Setting({"table": TABLE, "split": "test"}, length=20, seed=3), is_fitted=False)
    problem = RoutingProblem(**trial.options, observation="none")
    assert (problem.split, trial.length) == ("train", 20)
    assert len(problem.queries_of("art")) == 20
    assert trial.seed != 3
    tuned = tune({"random": {}, "ucb1": {"c": [1, 2]}}, Setting({"table": TABLE}, length=20), budget=4)
    assert [found.remark for found in tuned.values()] == ["", ""]


def test_shorter_tuning_sessions_are_said():
    """The train split has 20 queries of each context, the test split 40."""
    (found,) = tune({"ucb1": {"c": [1, 2]}}, Setting({"table": TABLE}, length=30), budget=4).values()
    assert found.remark == (
        "Tuning sessions are shorter than the sessions judged: the train split has only 20 in art, 20 in biology, "
        "20 in chess."
    )
    assert found.document()["remark"] == found.remark


def test_pretrained_agents_are_tuned_with_halves():
    (found,) = tune(
        {"zero_router": {"max_cost_usd": [1e-3, 1.0]}}, Setting({"table": TABLE}, length=10), budget=2
    ).values()
    assert found.remark == ""
    assert all(reward is not None for reward in found.rewards)


def test_the_best_value_is_chosen_and_every_agent_gets_the_same_budget():
    """The train split and the test split have different best LLMs: tuning must follow the first."""
    asked = queries(30)
    best = np.array([0 if query.split == "train" else 1 for query in asked])
    accuracy = (np.arange(3) == best[:, None])[:, :, None].astype(float)
    llms = ("x", "y", "z")
    table = OutcomeTable.from_records(asked, llms, records(asked, llms, accuracy, 1e-5, 0.1), {})
    setting = Setting({"table": table}, length=10)
    grids = {"fixed": {"llm": ["z", "y", "x"]}, "epsilon_greedy_q": {"epsilon": [0.0, 1.0], "step_size": [0.1, 0.3]}}
    tuned = tune(grids, setting, budget=12)
    assert tuned["fixed"].chosen == {"llm": "x"}
    assert [found.n_sessions * len(found.candidates) for found in tuned.values()] == [12, 12]
    assert len(tuned["epsilon_greedy_q"].candidates) == 4
    assert tune(grids, setting, budget=12) == tuned
    document = tuned["fixed"].document()
    assert [tried["parameters"]["llm"] for tried in document["candidates"]] == ["z", "y", "x"]


def test_where_nothing_is_tuned_no_train_split_is_needed():
    test = TABLE.select(None, "test")
    untrained = Setting({"table": TABLE.resplit(test, np.zeros(len(test), dtype=bool))}, length=10)
    assert tune({}, untrained, budget=2) == {}
    with pytest.raises(ValueError, match="no train split to tune on"):
        tune({"ucb1": {"c": [1, 2]}}, untrained, budget=2)


def test_more_candidates_than_sessions_and_bad_values_are_refused():
    setting = Setting({"table": TABLE}, length=10)
    with pytest.raises(ValueError, match="ucb1 has 3 candidates for 2 tuning sessions"):
        tune({"ucb1": {"c": [1, 2, 3]}}, setting, budget=2)
    with pytest.raises(ValueError, match="UCB1: c must be"):
        tune({"ucb1": {"c": [-1]}}, setting, budget=2)
