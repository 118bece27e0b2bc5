"""Regressions with shared weights, against one solve for all weights at once."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.shared_regressions import SharedRegressions

RIDGE, SHARED_RIDGE, N_ARMS, SIZE = 2.0, 0.5, 3, 4


def drawn(n_queries, n_sessions, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_queries, n_sessions, SIZE))
    return features, rng.integers(N_ARMS, size=(n_queries, n_sessions)), rng.normal(size=(n_queries, n_sessions, 2))


def solved(features, actions, responses, query, discount=1.0):
    """Return what one session expects of every arm, from the normal equations of shared and own weights together."""
    rows = np.array([with_own(x, arm) for x, arm in zip(features, actions, strict=True)])
    weights = discount ** np.arange(len(rows))[::-1]
    priors = np.concatenate([np.full(SIZE, SHARED_RIDGE), np.full(N_ARMS * SIZE, RIDGE)])
    precision = np.diag(priors) + rows.T @ (weights[:, None] * rows)
    coefficients = np.linalg.solve(precision, rows.T @ (weights[:, None] * responses))
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
        expected = solved(features[:, row], actions[:, row], responses[:, row], query[row], discount)
        np.testing.assert_allclose(mean[row], expected, rtol=0, atol=1e-10)


def test_variance_is_that_of_an_arms_own_queries():
    features, actions, responses = drawn(30, 1)
    model = SharedRegressions((1, N_ARMS, SIZE, 2), ridge=RIDGE, shared_ridge=SHARED_RIDGE)
    for step in zip(features, actions, responses, strict=True):
        model.update(*step)
    query = np.array([1.0, -2.0, 0.5, 0.0])
    for arm, variance in enumerate(model.predict(query[None])[1][0]):
        asked = features[actions[:, 0] == arm, 0]
        own = np.linalg.solve(RIDGE * np.eye(SIZE) + asked.T @ asked, query)
        assert variance == pytest.approx(query @ own, abs=1e-12)


def test_an_arm_that_was_never_asked_starts_from_what_the_others_share():
    model = SharedRegressions((1, 2, 1, 1), ridge=1.0, shared_ridge=1.0)
    model.update(np.ones((1, 1)), np.array([0]), np.ones((1, 1)))
    # The answer is s + d + noise, each of variance 1: a third of it is s, two thirds s + d.
    np.testing.assert_allclose(model.predict(np.ones((1, 1)))[0][0, :, 0], [2 / 3, 1 / 3], rtol=0, atol=1e-12)


def test_what_is_forgotten_leaves_the_prior():
    model = SharedRegressions((1, 2, 1, 1), ridge=1.0, shared_ridge=1.0, discount=0.5)
    for _ in range(20):
        model.update(np.ones((1, 1)), np.array([0]), np.ones((1, 1)))
    for _ in range(60):
        model.update(np.zeros((1, 1)), np.array([1]), np.zeros((1, 1)))
    mean, variance = model.predict(np.ones((1, 1)))
    np.testing.assert_allclose(mean, 0, atol=1e-12)
    np.testing.assert_allclose(variance, 1, atol=1e-12)
