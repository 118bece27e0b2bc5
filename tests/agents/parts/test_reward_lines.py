"""Lines from accuracy to reward, by hand."""

import numpy as np

from llm_routing_env.agents.parts.reward_lines import reward_lines


def test_a_reward_that_is_linear_in_the_accuracy_is_recovered(make_task, make_training_table):
    task = make_task(2)
    accuracy = np.random.default_rng(0).integers(0, 2, size=(60, 2)).astype(float)
    table = make_training_table(task, accuracy=accuracy, rewards=accuracy - [0.2, 0.7])
    at_zero, slopes = reward_lines(table)
    np.testing.assert_allclose(at_zero, [-0.2, -0.7])
    np.testing.assert_allclose(slopes, [1.0, 1.0])


def test_an_llm_that_is_never_wrong_borrows_the_slope_of_the_others(make_task, make_training_table):
    task = make_task(2)
    accuracy = np.stack([np.arange(60) % 2, np.ones(60)], axis=1)
    at_zero, slopes = reward_lines(make_training_table(task, accuracy=accuracy, rewards=2 * accuracy - [0.5, 1.0]))
    np.testing.assert_allclose(slopes, [2.0, 2.0])
    np.testing.assert_allclose(at_zero, [-0.5, -1.0])


def test_where_accuracy_never_varies_rewards_are_their_means(make_task, make_training_table):
    table = make_training_table(make_task(3), accuracy=np.zeros((60, 3)))
    at_zero, slopes = reward_lines(table)
    np.testing.assert_allclose(at_zero, table.rewards.mean(axis=0))
    np.testing.assert_array_equal(slopes, 0)
