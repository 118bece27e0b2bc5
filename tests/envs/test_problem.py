"""The routing problem: what pretrained agents are fitted on."""

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from tables import queries, random_table, records, write_random_table

import llm_routing_env  # noqa: F401  registers PickLLM-v0
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.pools.provenance import describe_pool
from llm_routing_env.tables.table import OutcomeTable


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


def test_agents_know_prices_and_what_to_expect_of_each_llm():
    nano = RoutingProblem(observation="none")
    tiny = nano.task.llms[0]
    assert (tiny.name, tiny.input_price_usd_per_mtok, tiny.output_price_usd_per_mtok) == ("tiny-0.1m", 0.05, 0.2)
    assert tiny.max_tokens == 24
    train = nano.table.select(None, "train")
    assert tiny.expected_latency_s == pytest.approx(nano.table.latency_s[train, 0].mean())
    assert tuple(llm.expected_cost_usd for llm in nano.task.llms) == pytest.approx(nano.task.expected_cost_usd)


def test_what_is_not_known_of_an_llm_is_none():
    table = random_table()
    table.cost_usd = np.full_like(table.cost_usd, np.nan)
    (llm, *_) = RoutingProblem(table, observation="none", weights=(1, 0, 0.5)).task.llms
    assert (llm.input_price_usd_per_mtok, llm.output_price_usd_per_mtok, llm.max_tokens) == (None, None, None)
    assert llm.expected_cost_usd is None
    assert llm.expected_latency_s == pytest.approx(table.latency_s[table.select(None, "train"), 0].mean())
    assert llm.features == {}


def test_a_recorded_table_says_what_its_pool_did(tmp_path: Path):
    (tmp_path / "pool.toml").write_text(
        'name = "p"\n[[llm]]\nname = "a"\nmodel = "m"\ninput_price_usd_per_mtok = 1.0\n'
        "output_price_usd_per_mtok = 2.0\n[llm.features]\nmmlu = 0.7\n"
    )
    asked = queries(3, ["art"])
    said = {"pool": describe_pool(load_pool(tmp_path / "pool.toml"))}
    table = OutcomeTable.from_records(asked, ["a"], records(asked, ["a"], [[[1, 0]]] * 3, 1e-5, 0.1), said)
    (llm,) = RoutingProblem(table, observation="none").task.llms
    assert (llm.output_price_usd_per_mtok, llm.features) == (2.0, {"mmlu": 0.7})


def test_a_live_pool_says_what_its_file_does(tmp_path: Path):
    head = 'name = "p"\n[[llm]]\nname = "new"\nmodel = "m"\n'
    priced = "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n[llm.features]\nmmlu = 0.7\n"
    rented = '[[llm]]\nname = "rented"\nmodel = "m"\nhardware_usd_per_hour = 3.6\n'
    (tmp_path / "pool.toml").write_text(head + priced + rented)
    problem = RoutingProblem(random_table(), observation="none", pool=load_pool(tmp_path / "pool.toml"))
    new, by_the_hour = problem.task.llms
    assert (new.output_price_usd_per_mtok, new.max_tokens, new.features) == (2.0, 256, {"mmlu": 0.7})
    assert new.expected_cost_usd == pytest.approx((10 * 1.0 + 5 * 2.0) / 1e6)  # the table's tokens
    assert new.expected_latency_s is None  # it was never measured
    assert by_the_hour.input_price_usd_per_mtok is None


@pytest.mark.parametrize(("kind", "size"), [("none", 1), ("context", 3), ("features", 12), ("prompt", 0)])
def test_the_task_says_what_is_seen(kind: str, size: int):
    problem = RoutingProblem(random_table(), observation=kind)
    assert (problem.task.observation, problem.task.observation_size) == (kind, size)
    assert RoutingProblem(random_table(), observation="none").task_seeing(kind).observation_size == size
    with pytest.raises(ValueError, match="Unknown observation 'pixels'"):
        problem.task_seeing("pixels")


def test_prompts_are_seen_as_texts_by_one_session_and_by_many():
    one = gym.make("PickLLM-v0", table=random_table(), observation="prompt", info="full")
    many = gym.make_vec("PickLLM-v0", num_envs=2, table=random_table(), observation="prompt", info="full")
    seen, info = one.reset(seed=3)
    together, _ = many.reset(seed=3)
    assert (seen, type(seen), together[0]) == (info["prompt"], str, info["prompt"])
    assert seen in one.observation_space
    assert together in many.observation_space
    assert one.step(0)[0] == many.step(np.array([0, 1]))[0][0]
    assert one.unwrapped.problem.training_table().observations[0] == "art question 0?"
