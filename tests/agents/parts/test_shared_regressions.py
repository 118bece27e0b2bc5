"""Regressions with shared weights, against one solve for all weights at once."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.shared_regressions import SharedRegressions

N_ARMS, SIZE = 3, 4
RIDGE, SHARED_RIDGE, ONE = np.array([0.5, 2.0, 2.0, 2.0]), np.array([0.3, 0.5, 1.0, 2.0]), np.ones(1)


def drawn(n_queries, n_sessions, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_queries, n_sessions, SIZE))
    return features, rng.integers(N_ARMS, size=(n_queries, n_sessions)), rng.normal(size=(n_queries, n_sessions, 2))


def posterior(features, actions, responses, discount=1.0, ridge=RIDGE):
    """Return mean and covariance of all weights, shared ones first, from the normal equations of one session."""
    rows = np.array([with_own(x, arm) for x, arm in zip(features, actions, strict=True)])
    weights = discount ** np.arange(len(rows))[::-1]
    covariance = np.linalg.inv(
        np.diag(np.concatenate([SHARED_RIDGE, np.tile(ridge, N_ARMS)])) + rows.T @ (weights[:, None] * rows)
    )
    return covariance @ rows.T @ (weights[:, None] * responses), covariance


def solved(features, actions, responses, query, **settings):
    """Return what one session expects of every arm."""
    coefficients, _ = posterior(features, actions, responses, **settings)
    return np.stack([with_own(query, arm) @ coefficients for arm in range(N_ARMS)])


def with_own(features, arm):
    return np.concatenate([features, np.kron(np.eye(N_ARMS)[arm], features)])


@pytest.mark.parametrize("discount", [1.0, 0.9])
def test_means_are_those_of_a_direct_solve(discount):
    features, actions, responses = drawn(50, 2)
    model = SharedRegressions((2, N_ARMS, SIZE, 2), ridge=RIDGE, shared_ridge=SHARED_RIDGE, discount=discount)
    for step in zip(features, actions, responses, strict=True):
        model.update(*step)
    query = np.array([[1.0, -2.0, 0.5, 0.0], [0.3, 0.0, 1.0, 2.0]])
    mean, _ = model.predict(query)
    for row in range(2):
        expected = solved(features[:, row], actions[:, row], responses[:, row], query[row], discount=discount)
        np.testing.assert_allclose(mean[row], expected, rtol=0, atol=1e-10)


def test_variance_is_that_of_an_arms_own_queries():
    features, actions, responses = drawn(30, 1)
    model = SharedRegressions((1, N_ARMS, SIZE, 2), ridge=RIDGE, shared_ridge=SHARED_RIDGE)
    for step in zip(features, actions, responses, strict=True):
        model.update(*step)
    query = np.array([1.0, -2.0, 0.5, 0.0])
    for arm, variance in enumerate(model.predict(query[None])[1][0]):
        asked = features[actions[:, 0] == arm, 0]
        own = np.linalg.solve(np.diag(RIDGE) + asked.T @ asked, query)
        assert variance == pytest.approx(query @ own, abs=1e-12)


def test_an_arm_that_was_never_asked_starts_from_what_the_others_share():
    model = SharedRegressions((1, 2, 1, 1), ridge=ONE, shared_ridge=ONE)
    model.update(np.ones((1, 1)), np.array([0]), np.ones((1, 1)))
    # The answer is s + d + noise, each of variance 1: a third of it is s, two thirds s + d.
    np.testing.assert_allclose(model.predict(np.ones((1, 1)))[0][0, :, 0], [2 / 3, 1 / 3], rtol=0, atol=1e-12)


def test_what_is_forgotten_leaves_the_prior():
    model = SharedRegressions((1, 2, 1, 1), ridge=ONE, shared_ridge=ONE, discount=0.5)
    for _ in range(20):
        model.update(np.ones((1, 1)), np.array([0]), np.ones((1, 1)))
    for _ in range(60):
        model.update(np.zeros((1, 1)), np.array([1]), np.zeros((1, 1)))
    mean, variance = model.predict(np.ones((1, 1)))
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(variance, 1, atol=1e-12)


def test_own_weights_are_known_as_well_as_a_direct_solve_knows_them():
    features, actions, responses = drawn(40, 2)
    model = SharedRegressions((2, N_ARMS, SIZE, 2), ridge=RIDGE, shared_ridge=SHARED_RIDGE)
    for step in zip(features, actions, responses, strict=True):
        model.update(*step)
    mean, variance = model._own()
    for row in range(2):
        expected, covariance = posterior(features[:, row], actions[:, row], responses[:, row])
        np.testing.assert_allclose(mean[row].reshape(-1, 2), expected[SIZE:], rtol=0, atol=1e-10)
        np.testing.assert_allclose(variance[row].ravel(), np.diag(covariance)[SIZE:], rtol=0, atol=1e-10)


def test_under_a_learned_precision_means_are_those_of_a_direct_solve():
    features, actions, responses = drawn(50, 1)
    model = SharedRegressions((1, N_ARMS, SIZE, 2), ridge=RIDGE, shared_ridge=SHARED_RIDGE)
    for number, step in enumerate(zip(features, actions, responses, strict=True)):
        model.update(*step)
        if number in (10, 30):
            model.learn_ridge()
    ridge, query = model.ridges[0], np.array([1.0, -2.0, 0.5, 0.0])
    assert ridge[0] == RIDGE[0]  # the intercept's stays
    assert ridge[1] == ridge[2] == ridge[3] != RIDGE[1]
    expected = solved(features[:, 0], actions[:, 0], responses[:, 0], query, ridge=ridge)
    np.testing.assert_allclose(model.predict(query[None])[0][0], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("deviation", [0.3, 0.5, 2.0])
def test_how_much_arms_differ_is_learned(deviation):
    """Whatever it starts from, 0.5; 20 sessions of 8 arms, each with 8 weights of its own beside an intercept."""
    rng, shape, prior = np.random.default_rng(0), (20, 8, 9, 1), np.full(9, 4.0)
    model, rows = SharedRegressions(shape, ridge=prior, shared_ridge=prior), np.arange(20)
    weights = rng.normal(size=(20, 1, 9)) + rng.normal(size=shape[:3]) * deviation
    for number in range(1, 1025):
        features, arm = rng.normal(size=(20, 9)), rng.integers(8, size=20)
        features[:, 0] = 1.0
        mean = (weights[rows, arm] * features).sum(axis=1)
        model.update(features, arm, (mean + rng.normal(size=20))[:, None])
        if number.bit_count() == 1:
            model.learn_ridge()
    assert np.median(model.ridges[:, 1]) ** -0.5 == pytest.approx(deviation, rel=0.1)
