"""Adam, against steps by hand and a known minimum."""

import numpy as np

from llm_routing_env.agents.parts.adam import adam


def test_the_first_steps_are_as_long_as_the_learning_rate():
    """With a constant gradient both moments, once unbiased, are the gradient and its square."""
    array = np.array([1.0, -2.0])
    adam([array], lambda _: [np.array([5.0, -0.01])], n_steps=3, learning_rate=0.1)
    np.testing.assert_allclose(array, [0.7, -1.7], atol=1e-6)


def test_it_finds_the_minimum_of_a_bowl_in_two_arrays():
    first, second = np.zeros(2), np.zeros(1)
    adam([first, second], lambda a, b: [2 * (a - [1.0, -3.0]), 2 * (b - a[:1])], n_steps=2000, learning_rate=0.05)
    np.testing.assert_allclose(first, [1.0, -3.0], atol=1e-3)
    np.testing.assert_allclose(second, [1.0], atol=1e-3)
