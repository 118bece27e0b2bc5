"""UniRoute: cluster means by hand, what it equals in the limit, and LLMs that come later."""

import numpy as np
import pytest

from llm_routing_env.agents import LLMInfo, make_agent

FIELDS = ("rewards", "accuracy", "cost_usd", "latency_s")


@pytest.fixture
def fitted(make_task, make_training_table):
    """Return a function that fits a router with some options, and gives it and its table."""

    def make(n_actions=4, n_queries=200, fields=None, **options):
        task = make_task(n_actions, observation_size=6)
        table = make_training_table(task, n_queries=n_queries, **(fields or {}))
        agent = make_agent("uniroute", task, seed=0, **options)
        agent.fit(table)
        return agent, table

    return make


def mixture(seed, n_queries):
    """Return queries of three clusters, each with one LLM that is mostly right; and their cluster."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(3, size=n_queries)
    queries = 4 * np.eye(8)[cluster] + rng.normal(scale=0.3, size=(n_queries, 8))
    return queries, cluster, (rng.random((n_queries, 3)) < np.where(np.eye(3)[cluster] == 1, 0.9, 0.1)).astype(float)


def test_with_one_cluster_it_is_the_best_fixed_llm(fitted):
    agent, table = fitted(n_clusters=1)
    np.testing.assert_allclose(agent._scores(table.observations[:3]), np.tile(table.rewards.mean(axis=0), (3, 1)))


@pytest.mark.parametrize("target", ["reward", "accuracy"])
@pytest.mark.parametrize("llm_map", ["kmeans", "learned"])
@pytest.mark.parametrize("seed", range(5))
def test_the_right_llm_is_asked_in_every_cluster(seed, llm_map, target, make_task, make_training_table):
    task = make_task(3, observation_size=8)
    seen, _, right = mixture(seed, 600)
    agent = make_agent("uniroute", task, n_sessions=300, seed=seed, map=llm_map, n_clusters=3, target=target)
    agent.fit(make_training_table(task, n_queries=600, observations=seen, rewards=right, accuracy=right))
    queries, cluster, _ = mixture(seed + 100, 300)
    np.testing.assert_array_equal(agent.select_action(queries), cluster)


def test_a_number_of_clusters_is_found_that_tells_them_apart(make_task, make_training_table):
    task = make_task(3, observation_size=8)
    seen, _, right = mixture(0, 600)
    agent = make_agent("uniroute", task, seed=0)
    agent.fit(make_training_table(task, n_queries=600, observations=seen, rewards=right))
    assert len(agent.centres) >= 5
    noise = np.random.default_rng(0).random((600, 3)) * 0.1 + [0.0, 1.0, 0.0]
    agent.fit(make_training_table(task, n_queries=600, observations=seen, rewards=noise))
    assert len(agent.centres) == 1, "of several numbers that earn as much, the fewest"


def test_a_learned_map_predicts_errors_better_than_the_clusters_do(fitted):
    """By the loss that it minimises, on the queries that it is fitted on."""
    fields = {"accuracy": np.random.default_rng(1).integers(0, 2, size=(200, 4)).astype(float)}
    losses = {}
    for llm_map in ("kmeans", "learned"):
        agent, table = fitted(fields=fields, map=llm_map, n_clusters=10, target="accuracy")
        agent.lines = np.array([np.zeros(4), np.ones(4)])
        right = np.clip(agent._scores(table.observations), 1e-4, 1 - 1e-4)
        losses[llm_map] = -np.log(np.where(table.accuracy == 1, right, 1 - right)).mean()
    assert losses["learned"] < losses["kmeans"] - 0.01


def test_accuracies_are_turned_into_the_rewards_that_they_earn(fitted):
    right = np.random.default_rng(2).integers(0, 2, size=(200, 4)).astype(float)
    prices = np.array([0.1, 0.2, 0.3, 0.4])
    fields = {"accuracy": right, "rewards": 2 * right - prices}
    by_reward, table = fitted(fields=fields, n_clusters=5)
    by_accuracy, _ = fitted(fields=fields, n_clusters=5, target="accuracy")
    np.testing.assert_allclose(by_accuracy._scores(table.observations), by_reward._scores(table.observations))


def test_queries_that_an_llm_was_not_asked_do_not_count_for_it(make_task, make_training_table):
    task = make_task(2, observation_size=1)
    cells = np.array([[1.0, 0.0], [np.nan, 0.5], [0.0, 1.0], [0.2, np.nan]])
    agent = make_agent("uniroute", task, n_clusters=2, seed=0)
    seen = np.array([[0.0], [0.0], [9.0], [9.0]])
    agent.fit(make_training_table(task, n_queries=4, observations=seen, **dict.fromkeys(FIELDS, cells)))
    # The means over all are .4 and .5, and count twice.
    np.testing.assert_allclose(agent._scores(seen[[0, 2]]), [[1.8 / 3, 1.5 / 4], [1 / 4, 2 / 3]])


def test_with_every_query_as_a_probe_a_new_llm_is_known_like_the_others(fitted):
    agent, table = fitted(n_clusters=5)
    others, _ = fitted(n_clusters=5)
    others, known = make_agent("uniroute", others.task, n_clusters=5, seed=0), agent.worth.copy()
    agent.add_llm(LLMInfo("twin"), table.part(llms=[2]), caution=0, prior_count=2)
    np.testing.assert_array_equal(agent.worth[:, :4], known)
    np.testing.assert_allclose(agent.worth[:, 4], known[:, 2])
    assert agent.task.llm_names == ("llm0", "llm1", "llm2", "llm3", "twin")
    assert agent.action_probabilities(table.observations[0]).shape == (5,)


def test_caution_takes_off_standard_errors_that_shrink_with_the_probes(make_task, make_training_table):
    task = make_task(1, observation_size=1)
    seen = np.array([[0.0], [0.0], [9.0], [9.0]])
    agent = make_agent("uniroute", task, n_clusters=2, seed=0)
    agent.fit(make_training_table(task, n_queries=4, observations=seen, rewards=[[0.0], [2.0], [0.0], [2.0]]))
    probes = make_training_table(task, n_queries=11, observations=np.zeros((11, 1)), rewards=np.full((11, 1), 3.0))
    agent.add_llm(LLMInfo("new"), probes, caution=2.0)
    # The known LLM's deviation is 1; eleven probes to the west and none to the east, and five that are thought.
    where = agent._scores(seen[[0, 2]])[:, 1]
    np.testing.assert_allclose(where, [3 - 2 / 4, 3 - 2 / np.sqrt(5)])


@pytest.mark.parametrize(("n_probes", "n_groups"), [(1, 1), (9, 1), (10, 2), (24, 4), (25, 5), (200, 5)])
def test_few_probes_are_averaged_over_several_clusters(n_probes, n_groups, fitted):
    agent, _ = fitted(n_clusters=5)
    assert len(set(agent._groups(n_probes))) == n_groups


def test_a_router_with_a_new_llm_is_saved(fitted, tmp_path):
    for options in ({}, {"map": "learned"}, {"target": "accuracy"}):
        agent, table = fitted(n_clusters=5, **options)
        agent.add_llm(LLMInfo("new"), table.part(slice(20), [1]))
        agent.save(tmp_path / "agent.npz")
        loaded = type(agent).load(tmp_path / "agent.npz", agent.task)
        for query in table.observations[:10]:
            np.testing.assert_array_equal(loaded.action_probabilities(query), agent.action_probabilities(query))


def test_what_cannot_be_added_is_refused(fitted, make_task):
    agent, table = fitted(n_clusters=5)
    with pytest.raises(ValueError, match=r"add_llm: llm must be none of llm0, llm1, llm2, llm3, got 'llm1'"):
        agent.add_llm(LLMInfo("llm1"), table.part(llms=[1]))
    with pytest.raises(ValueError, match="add_llm: probes must be outcomes of the new LLM alone, got 2 LLMs"):
        agent.add_llm(LLMInfo("new"), table.part(llms=[1, 2]))
    with pytest.raises(ValueError, match="UniRoute: caution must be finite and at least 0, got -1"):
        agent.add_llm(LLMInfo("new"), table.part(llms=[1]), caution=-1)
    with pytest.raises(ValueError, match=r"rewards must be of shape \(queries, LLMs\), not empty"):
        agent.add_llm(LLMInfo("new"), table.part(slice(0), [1]))
    with pytest.raises(RuntimeError, match="UniRoute is not fitted"):
        make_agent("uniroute", agent.task).add_llm(LLMInfo("new"), table.part(llms=[1]))
    agent.task = make_task(4)
    with pytest.raises(ValueError, match="add_llm: probes must be of observations of size 5, got 6"):
        agent.add_llm(LLMInfo("new"), table.part(llms=[1]))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"n_clusters": 0}, "UniRoute: n_clusters must be None or a whole number, at least 1, got 0"),
        ({"map": "kmean"}, "Unknown map of uniroute 'kmean'. Did you mean 'kmeans'"),
        ({"target": "cost"}, "Unknown target of uniroute 'cost'"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("uniroute", make_task(), **options)


def test_more_clusters_than_queries_are_refused(fitted):
    with pytest.raises(ValueError, match="UniRoute: n_clusters must be at most 200, the training queries, got 201"):
        fitted(n_clusters=201)
