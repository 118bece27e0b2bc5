"""The last queries of every session."""

import numpy as np

from llm_routing_env.agents.parts.memory import Memory


def add(memory, number):
    memory.add(np.full((2, 1), float(number)), np.full(2, number), np.full(2, number / 10))


def test_the_oldest_query_is_overwritten():
    memory = Memory(2, capacity=2, observation_size=1)
    add(memory, 1)
    assert memory.oldest() is None
    assert memory.recall()[0].shape == (2, 1, 1)
    add(memory, 2)
    np.testing.assert_array_equal(memory.oldest()[0], [1, 1])
    add(memory, 3)
    observations, actions, rewards = memory.recall()
    assert set(actions[0]) == {2, 3}
    np.testing.assert_array_equal(observations[..., 0], actions)
    np.testing.assert_allclose(rewards, actions / 10)
