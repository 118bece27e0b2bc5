"""Nearest-neighbour bandit, with values computed by hand."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent

EAST, NORTH, NORTH_EAST = [1.0, 0.0], [0.0, 1.0], [1.0, 0.9]


@pytest.fixture
def agent(make_task):
    agent = make_agent("knn_bandit", make_task(2, observation_size=2), n_neighbours=2, epsilon=0.2, capacity=5)
    for seen, action, reward in [(EAST, 0, 1.0), (NORTH, 0, 0.0), (NORTH_EAST, 0, 0.6), (NORTH, 1, 0.5)]:
        agent.update(seen, action, reward)
    return agent


def test_an_arm_is_worth_its_mean_reward_on_the_nearest_queries(agent):
    np.testing.assert_allclose(agent._estimates(np.array([EAST])), [[0.8, 0.5]])
    np.testing.assert_allclose(agent._estimates(np.array([NORTH])), [[0.3, 0.5]])


def test_the_choice_depends_on_the_query_and_not_on_its_length(agent):
    np.testing.assert_allclose(agent.action_probabilities(EAST), [0.9, 0.1])
    np.testing.assert_allclose(agent.action_probabilities([0.0, 7.0]), [0.1, 0.9])


def test_a_query_without_direction_is_like_no_other(agent):
    # All are equally near, so the earliest two count: 0.5 for both arms.
    np.testing.assert_allclose(agent.action_probabilities([0.0, 0.0]), [0.5, 0.5])


def test_an_arm_without_queries_comes_first(make_task):
    agent = make_agent("knn_bandit", make_task(2, observation_size=2), epsilon=0.0)
    agent.update(EAST, 0, 5.0)
    assert agent.select_action(EAST) == 1


@pytest.mark.parametrize(("name", "value"), [("n_neighbours", 0), ("epsilon", 1.5), ("capacity", 0)])
def test_hyperparameters_out_of_range_are_refused(name, value, make_task):
    with pytest.raises(ValueError, match=f"KNNBandit: {name} must be .*, got {value!r}"):
        make_agent("knn_bandit", make_task(), **{name: value})
