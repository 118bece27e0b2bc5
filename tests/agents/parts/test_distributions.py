"""Masking, greedy choice and sampling of distributions over arms."""

import numpy as np

from llm_routing_env.agents.parts.distributions import restrict, softmax, uniform_over_best

ALLOWED = np.array([[True, False, True]])


def test_restriction_conditions_on_the_allowed_arms():
    restricted = restrict(np.array([[0.2, 0.5, 0.3]]), ALLOWED)
    np.testing.assert_allclose(restricted, [[0.4, 0, 0.6]])


def test_restriction_falls_back_to_uniform_where_nothing_is_left():
    np.testing.assert_array_equal(restrict(np.array([[0.0, 1.0, 0.0]]), ALLOWED), [[0.5, 0, 0.5]])


def test_greedy_choice_shares_ties_among_allowed_arms():
    scores = np.array([[1.0, 3.0, 1.0], [np.inf, 0.0, np.inf], [0.0, 1.0, -np.inf]])
    np.testing.assert_array_equal(uniform_over_best(scores, None), [[0, 1, 0], [0.5, 0, 0.5], [0, 1, 0]])
    allowed = np.repeat(ALLOWED, 3, axis=0)
    np.testing.assert_array_equal(uniform_over_best(scores, allowed), [[0.5, 0, 0.5], [0.5, 0, 0.5], [1, 0, 0]])


def test_only_unpromising_arms_left_still_gives_a_distribution():
    np.testing.assert_array_equal(uniform_over_best(np.array([[-np.inf, 5.0, -np.inf]]), ALLOWED), [[0.5, 0, 0.5]])


def test_softmax_survives_large_preferences():
    np.testing.assert_allclose(softmax(np.array([[1000.0, 1000.0, 0.0]])), [[0.5, 0.5, 0]])
