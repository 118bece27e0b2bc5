"""The routing problem: what pretrained agents are fitted on."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from tables import queries, random_table, records, write_random_table

import llm_routing_env  # noqa: F401  registers PickLLM-v0
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.outcomes import OutcomeTable
from llm_routing_env.pool import load_pool


def test_training_table_holds_the_mean_outcomes_of_the_train_split_by_hand():
    asked = queries(3, ["a", "b"])  # of each context the first is of the train split
    accuracy = np.zeros((6, 2, 2))
    accuracy[0] = [[1, 0], [1, 1]]  # by LLM, two repeats
    accuracy[3] = [[0, 0], [1, 0]]
    cost = np.broadcast_to(np.array([1e-5, 2e-5])[None, :, None], (6, 2, 2))
    latency = np.broadcast_to(np.array([0.01, 0.1])[None, :, None], (6, 2, 2))
    rows = records(asked, ["small", "big"], accuracy, cost, latency)
    table = OutcomeTable.from_records(asked, ["small", "big"], rows, {})
    training = RoutingProblem(table, observation="context", split="test").training_table()
    np.testing.assert_array_equal(training.observations, [[1, 0], [0, 1]])
    np.testing.assert_allclose(training.accuracy, [[0.5, 1], [0, 0.5]])
    np.testing.assert_allclose(training.cost_usd, [[1e-5, 2e-5]] * 2)
    np.testing.assert_allclose(training.latency_s, [[0.01, 0.1]] * 2)
    # small: (a - .5 * .5) / (.5 * 1); big: (a - .5 * 1) / (.5 * 2)
    np.testing.assert_allclose(training.rewards, [[0.5, 0.5], [-0.5, 0]])


def test_training_table_is_the_same_whatever_is_judged(tmp_path: Path):
    path = write_random_table(tmp_path)
    tables = [
        RoutingProblem(path, split=split, context=context, observation="embedding").training_table()
        for split, context in (("test", None), ("train", "chess"), ("all", "mixed"))
    ]
    assert tables[0].observations.shape == (30, 40)
    for table in tables[1:]:
        for name in ("observations", "rewards", "accuracy", "cost_usd", "latency_s"):
            np.testing.assert_array_equal(getattr(table, name), getattr(tables[0], name))


def test_both_environments_lead_to_it():
    one = gym.make("PickLLM-v0", table=random_table(), observation="none").unwrapped
    many = gym.make_vec("PickLLM-v0", num_envs=2, table=random_table(), observation="none").unwrapped
    np.testing.assert_array_equal(one.problem.training_table().rewards, many.problem.training_table().rewards)


def test_a_measure_that_was_not_recorded_is_missing():
    table = random_table()
    table.latency_s = np.full_like(table.latency_s, np.nan)
    training = RoutingProblem(table, observation="none", weights=(1, 0.5, 0)).training_table()
    assert np.isnan(training.latency_s).all()
    assert np.isfinite(training.rewards).all()


def test_a_table_without_train_split_is_refused():
    table = random_table()
    test = table.select(None, "test")
    untrained = table.resplit(test, np.zeros(len(test), dtype=bool))
    with pytest.raises(ValueError, match="has no train split: pretrained agents cannot be fitted"):
        RoutingProblem(untrained, observation="none").training_table()


def test_a_table_of_other_llms_than_the_pools_is_refused():
    problem = RoutingProblem(random_table(), observation="none", pool=load_pool("nano"))
    with pytest.raises(ValueError, match=r"recorded on other LLMs than the pool's, tiny-0\.1m, .*cannot be fitted"):
        problem.training_table()


def test_a_table_without_queries_in_the_split_is_refused_by_name():
    table = random_table()
    whole = np.arange(table.n_queries)
    nothing_to_judge = table.resplit(whole, np.ones(len(whole), dtype=bool))
    with pytest.raises(
        ValueError,
        match=r"no query in the split 'test'; it has 90 in 'train', 0 in 'test', 90 in 'all': ask for another",
    ):
        RoutingProblem(nothing_to_judge, observation="none", context="mixed")


def test_a_context_without_queries_in_the_split_is_not_judged_and_refused_by_name():
    table = random_table()
    is_train = table.query_contexts == table.contexts.index("art")
    problem = RoutingProblem(table.resplit(np.arange(table.n_queries), is_train), observation="none")
    assert problem.contexts_not_judged == ("art",)
    assert RoutingProblem(table, observation="none").contexts_not_judged == ()
    with pytest.raises(ValueError, match="'art' has no query in the split 'test'; these have: biology, chess"):
        RoutingProblem(table.resplit(np.arange(table.n_queries), is_train), observation="none", context="art")
