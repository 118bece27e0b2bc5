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
    with pytest.raises(ValueError, match="KNNRouter: n_neighbours must be at least 1, got 0"):
        make_agent("knn_router", make_task(), n_neighbours=0)
