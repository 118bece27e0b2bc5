"""The reward model: means by hand, and never fitted on its own query."""

import numpy as np
import pytest

from llm_routing_env.evaluation.off_policy import cross_fitted


def test_without_features_it_is_each_llms_mean_over_the_other_folds():
    value, action, queries = np.array([1.0, 2.0, 3.0, 4.0]), np.zeros(4, int), np.arange(4)
    model = cross_fitted(value, action, queries, np.zeros((4, 0)), 1)
    # Four queries lie in four different folds: each is predicted by the mean of the other three.
    np.testing.assert_allclose(model[:, 0], [3.0, 8 / 3, 7 / 3, 2.0])


def test_a_query_says_nothing_of_itself_even_from_another_session():
    rng = np.random.default_rng(0)
    queries, action = np.tile(np.arange(50), 3), rng.integers(2, size=150)
    features, value = rng.standard_normal((50, 2))[queries], rng.standard_normal(150)
    model = cross_fitted(value, action, queries, features, 2)
    changed = cross_fitted(np.where(queries == 7, 100.0, value), action, queries, features, 2)
    np.testing.assert_array_equal(model[queries == 7], changed[queries == 7])
    assert not np.allclose(model, changed)


def test_it_learns_what_the_features_say():
    rng = np.random.default_rng(0)
    features, action = rng.standard_normal((600, 2)), rng.integers(3, size=600)
    truth = features @ np.array([[1.0, 0.0, -1.0], [0.0, 2.0, 1.0]]) + np.array([0.0, 1.0, 2.0])
    model = cross_fitted(truth[np.arange(600), action], action, np.arange(600), features, 3)
    np.testing.assert_allclose(model, truth, atol=0.1)


def test_an_llm_that_was_never_asked_gets_the_mean_of_all_others():
    model = cross_fitted(np.array([1.0, 3.0] * 10), np.zeros(20, int), np.arange(20), np.zeros((20, 0)), 2)
    assert np.isfinite(model).all()
    assert model[:, 1].mean() == pytest.approx(2.0)


def test_it_is_the_same_every_time():
    rng = np.random.default_rng(1)
    logged = (rng.random(40), rng.integers(2, size=40), np.arange(40), rng.random((40, 3)), 2)
    np.testing.assert_array_equal(cross_fitted(*logged), cross_fitted(*logged))
