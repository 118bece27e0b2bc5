"""Running value estimates of every arm."""

import numpy as np

from llm_routing_env.agents.parts.arm_values import ArmValues


def test_only_the_arm_that_was_asked_moves():
    arms = ArmValues(2, 3, initial_value=1.0, step_size=0.5)
    arms.update(np.array([0, 2]), np.array([3.0, -1.0]))
    np.testing.assert_array_equal(arms.values, [[2, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(arms.counts, [[1, 0, 0], [0, 0, 1]])


def test_sample_means_forget_the_initial_value():
    arms = ArmValues(1, 2, initial_value=9.0)
    for reward in (1.0, 2.0, 6.0):
        arms.update(np.array([0]), np.array([reward]))
    np.testing.assert_allclose(arms.values, [[3.0, 9.0]])
