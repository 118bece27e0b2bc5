"""Ridge regressions per arm: the running inverse against the direct one."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.linear_model import (
    ArmRegressions,
    predictions_left_out,
    ridge_regression,
    with_intercept,
)

RIDGE = 0.7


@pytest.fixture
def history():
    rng = np.random.default_rng(0)
    return rng.normal(size=(3, 200, 4)), rng.integers(2, size=(3, 200)), rng.normal(size=(3, 200))


def test_running_inverse_equals_the_direct_one(history):
    features, actions, rewards = history
    model = ArmRegressions(3, 2, 4, RIDGE)
    for step in range(200):
        model.update(features[:, step], actions[:, step], rewards[:, step])
    query = np.array([0.3, -1.0, 0.5, 2.0])
    mean, uncertainty = model.predict(np.tile(query, (3, 1)))
    for session in range(3):
        for arm in range(2):
            asked = actions[session] == arm
            x, r = features[session, asked], rewards[session, asked]
            inverse = np.linalg.inv(RIDGE * np.eye(4) + x.T @ x)
            np.testing.assert_allclose(model.inverses[session, arm], inverse, rtol=0, atol=1e-10)
            assert mean[session, arm] == pytest.approx(query @ inverse @ x.T @ r)
            assert uncertainty[session, arm] == pytest.approx(np.sqrt(query @ inverse @ query))


def test_refitting_equals_updating_query_by_query(history):
    features, actions, rewards = history
    updated, refitted = ArmRegressions(3, 2, 4, RIDGE), ArmRegressions(3, 2, 4, RIDGE)
    for step in range(200):
        updated.update(features[:, step], actions[:, step], rewards[:, step])
    refitted.refit(features, actions, rewards)
    np.testing.assert_allclose(refitted.inverses, updated.inverses, rtol=0, atol=1e-10)
    np.testing.assert_allclose(refitted.responses, updated.responses, rtol=0, atol=1e-10)


def test_ridge_regression_is_least_squares_with_the_penalty_as_further_queries():
    rng = np.random.default_rng(1)
    inputs, targets = rng.normal(size=(30, 4)) + 5, rng.normal(size=(30, 3))
    # One query per coefficient, with target 0; a column of its own for the intercept, which none of them has.
    rows = np.block([[np.ones((30, 1)), inputs], [np.zeros((4, 1)), np.sqrt(RIDGE) * np.eye(4)]])
    expected, *_ = np.linalg.lstsq(rows, np.concatenate([targets, np.zeros((4, 3))]), rcond=None)
    np.testing.assert_allclose(ridge_regression(inputs, targets, RIDGE), expected, rtol=0, atol=1e-10)


def test_each_output_is_fitted_on_the_queries_that_have_it():
    rng = np.random.default_rng(3)
    inputs, targets = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    targets[rng.random((40, 2)) < 0.4] = np.nan
    fitted = ridge_regression(inputs, targets, np.array([RIDGE, 3.0]))
    (left_out,) = predictions_left_out(inputs, targets, np.arange(40), [RIDGE])
    for output, ridge in enumerate((RIDGE, 3.0)):
        rows = np.flatnonzero(~np.isnan(targets[:, output]))
        alone = ridge_regression(inputs[rows], targets[rows, output, None], ridge)
        np.testing.assert_array_equal(fitted[:, output], alone[:, 0])
        for row in rows:
            others = rows[rows != row]
            expected = with_intercept(inputs[row]) @ ridge_regression(
                inputs[others], targets[others, output, None], RIDGE
            )
            assert left_out[row, output] == pytest.approx(expected.item())
    assert (left_out[np.isnan(targets)] == -np.inf).all()


def test_outputs_that_lack_the_same_queries_are_fitted_as_they_are_alone():
    rng = np.random.default_rng(4)
    inputs, targets, weights = rng.normal(size=(40, 4)), rng.normal(size=(40, 5)), rng.random(40) + 0.5
    targets[:7, [0, 3]], targets[5:9, 4] = np.nan, np.nan
    ridges = np.array([1.0, 1.0, 2.0, 1.0, 1.0])
    fitted = ridge_regression(inputs, targets, ridges, weights)
    (left_out,) = predictions_left_out(inputs, targets, np.arange(40), [RIDGE], weights)
    for output, ridge in enumerate(ridges):
        rows = ~np.isnan(targets[:, output])
        alone = ridge_regression(inputs[rows], targets[rows, output, None], ridge, weights[rows])
        np.testing.assert_allclose(fitted[:, output], alone[:, 0], rtol=0, atol=1e-12)
        one = next(
            predictions_left_out(
                inputs[rows], targets[rows, output, None], np.arange(rows.sum()), [RIDGE], weights[rows]
            )
        )
        np.testing.assert_allclose(left_out[rows, output], one[:, 0], rtol=0, atol=1e-12)


def test_predictions_left_out_are_those_of_regressions_without_the_group():
    rng = np.random.default_rng(2)
    groups = np.array([0, 1, 2, 1, 3, 4, 5, 6, 6, 6, 7, 8])
    inputs, targets, ridges = (rng.normal(size=(9, 4)) + 5)[groups], rng.normal(size=(12, 3)), (1e-3, RIDGE, 50.0)
    for ridge, predicted in zip(ridges, predictions_left_out(inputs, targets, groups, ridges), strict=True):
        expected = np.empty_like(targets)
        for group in range(9):
            left, kept = groups == group, groups != group
            expected[left] = with_intercept(inputs[left]) @ ridge_regression(inputs[kept], targets[kept], ridge)
        np.testing.assert_allclose(predicted, expected, rtol=1e-6)


def test_intercept_comes_first():
    np.testing.assert_array_equal(with_intercept(np.array([[2.0, 3.0]])), [[1.0, 2.0, 3.0]])
