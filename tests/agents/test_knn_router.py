"""Nearest-neighbour router, with values computed by hand."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

EAST, NORTH, NORTH_EAST = [1.0, 0.0], [0.0, 1.0], [1.0, 0.9]


@pytest.fixture
def fitted(make_task, make_training_table):
    """Return a function that fits a router on four queries; the two to the north are alike."""

    def make(n_neighbours):
        task = make_task(2, observation_size=2)
        agent = make_agent("knn_router", task, n_neighbours=n_neighbours)
        rewards = [[1.0, 0.0], [0.6, 0.5], [0.2, 0.8], [0.0, 0.4]]
        seen = [EAST, NORTH_EAST, NORTH, NORTH]
        agent.fit(make_training_table(task, n_queries=4, observations=seen, rewards=rewards))
        return agent

    return make


def test_an_llm_is_worth_its_mean_reward_on_the_nearest_queries(fitted):
    scores = fitted(2)._scores(np.array([EAST, [0.0, 3.0]]))
    np.testing.assert_allclose(scores, [[0.8, 0.25], [0.1, 0.6]])


def test_queries_as_near_as_the_last_neighbour_count_too(fitted):
    np.testing.assert_allclose(fitted(1)._scores(np.array([NORTH])), [[0.1, 0.6]])


def test_neighbours_that_an_llm_was_not_asked_do_not_count_for_it(make_task, make_training_table):
    task = make_task(2, observation_size=2)
    agent = make_agent("knn_router", task, n_neighbours=2)
    cells = np.array([[1.0, np.nan], [0.6, np.nan], [0.2, 0.8], [np.nan, 0.4]])
    seen = [EAST, NORTH_EAST, NORTH, NORTH]
    measures = dict.fromkeys(("rewards", "accuracy", "cost_usd", "latency_s"), cells)
    agent.fit(make_training_table(task, n_queries=4, observations=seen, **measures))
    # To the east nobody asked the second LLM: its mean is that over all queries.
    np.testing.assert_allclose(agent._scores(np.array([EAST, NORTH])), [[0.8, 0.6], [0.2, 0.6]])


@pytest.mark.parametrize("n_neighbours", [4, 1000])
def test_with_all_queries_as_neighbours_it_is_the_best_fixed_llm(fitted, n_neighbours):
    np.testing.assert_allclose(fitted(n_neighbours)._scores(np.array([EAST, NORTH])), [[0.45, 0.425]] * 2)


def test_a_query_without_direction_is_as_near_to_all(fitted):
    np.testing.assert_allclose(fitted(1)._scores(np.zeros((1, 2))), [[0.45, 0.425]])


def test_with_one_neighbour_it_recalls_what_was_best_for_a_training_query(make_task, make_training_table):
    task = make_task(observation_size=6)
    table = make_training_table(task, n_queries=200)
    agent = make_agent("knn_router", task, n_sessions=200, n_neighbours=1)
    agent.fit(table)
    np.testing.assert_array_equal(agent.select_action(table.observations), table.rewards.argmax(axis=1))


def test_hyperparameter_out_of_range_is_refused(make_task):
    with pytest.raises(ValueError, match="KNNRouter: n_neighbours must be None or a whole number, at least 1, got 0"):
        make_agent("knn_router", make_task(), n_neighbours=0)


def left_out_by_hand(table, n_neighbours):
    """Return the mean reward of the LLM picked for each query by the others; none look alike, none are as near."""
    unit = table.observations / np.linalg.norm(table.observations, axis=1, keepdims=True)
    earned = []
    for query in range(len(unit)):
        others = np.delete(np.arange(len(unit)), query)
        nearest = others[np.argsort(-unit[others] @ unit[query])[:n_neighbours]]
        earned.append(table.rewards[query, table.rewards[nearest].mean(axis=0).argmax()])
    return np.mean(earned)


@pytest.mark.parametrize("seed", range(5))
def test_by_default_the_number_of_neighbours_routes_best_by_leave_one_out(seed, make_task, make_training_table):
    task = make_task()
    table = make_training_table(task, n_queries=100, seed=seed)
    agent = make_agent("knn_router", task)
    agent.fit(table)
    earned = {size: left_out_by_hand(table, size) for size in (5, 10, 20, 40)}
    assert agent.fitted_n_neighbours == max(earned, key=earned.get)


def test_copies_of_a_query_are_left_out_together(make_task, make_training_table):
    """Rewards are noise that copies share: a few neighbours recall it, all others know nothing of it."""
    rng = np.random.default_rng(0)
    task = make_task(2, observation_size=6)
    seen, rewards = (np.repeat(once, 6, axis=0) for once in (rng.normal(size=(40, 6)), rng.random((40, 2))))
    rewards[:, 1] += 0.2
    agent = make_agent("knn_router", task)
    agent.fit(make_training_table(task, n_queries=240, observations=seen, rewards=rewards))
    assert agent.fitted_n_neighbours == 80


def test_the_number_that_was_chosen_is_saved(make_task, make_training_table, tmp_path):
    task = make_task()
    agent = make_agent("knn_router", task)
    agent.fit(make_training_table(task, n_queries=100))
    agent.save(tmp_path / "agent.npz")
    loaded = type(agent).load(tmp_path / "agent.npz", task)
    assert (loaded.n_neighbours, loaded.fitted_n_neighbours) == (None, agent.fitted_n_neighbours)
    assert loaded.fitted_n_neighbours in (5, 10, 20, 40)


def test_ties_do_not_depend_on_how_many_sessions_are_routed_at_once(make_task, make_training_table):
    """Every LLM earns the same tenths, in another order: their means tie, but not in floating point."""
    rng = np.random.default_rng(0)
    task = make_task(3, observation_size=8)
    seen = np.tile(rng.normal(size=(20, 8)), (30, 1))
    rewards = np.concatenate(
        [rng.permutation(30)[:, None].repeat(20, axis=1).reshape(600, 1) for _ in range(3)], axis=1
    )
    table = make_training_table(task, n_queries=600, observations=seen, rewards=rewards / 10)
    batch, single = (make_agent("knn_router", task, n_sessions=n, n_neighbours=20) for n in (20, None))
    for agent in (batch, single):
        agent.fit(table)
    together = batch.action_probabilities(seen[:20])
    np.testing.assert_array_equal(together, [single.action_probabilities(row) for row in seen[:20]])
    np.testing.assert_allclose(together, np.full((20, 3), 1 / 3))
