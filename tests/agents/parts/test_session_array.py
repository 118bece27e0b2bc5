"""Numbers per session: plain ones and arrays behave the same."""

import numpy as np

from llm_routing_env.agents.parts.session_array import SessionArray, column, how_many, maximum, minimum, plain


def test_a_number_per_session_is_plain_until_sessions_differ():
    clock = SessionArray(3, 0)
    clock.now += 1
    assert clock.now == 1
    np.testing.assert_array_equal(clock, [1, 1, 1])
    clock.now += np.array([1, 0, 0])
    np.testing.assert_array_equal(clock, [2, 1, 1])
    clock.array = np.array([4, 4, 4])
    assert clock.now == 4


def test_extremes_and_counts_take_numbers_and_arrays():
    many = np.array([1.0, 3.0])
    assert (minimum(2.0, 1.0), maximum(2.0, 1.0), plain(np.array([2.5])), plain(2.5)) == (1.0, 2.0, 2.5, 2.5)
    np.testing.assert_array_equal(minimum(2.0, many), [1, 2])
    np.testing.assert_array_equal(maximum(many, 2.0), [2, 3])
    assert (how_many(True), how_many(many > 2)) == (1, 1)


def test_a_column_stands_beside_an_array_of_sessions_and_arms():
    assert column(2.0) == 2.0
    np.testing.assert_array_equal(np.ones((2, 3)) * column(np.array([1.0, 5.0])), [[1, 1, 1], [5, 5, 5]])
