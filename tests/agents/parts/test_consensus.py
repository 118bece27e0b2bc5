"""Errors estimated without labels: the closed form against the paper's average, and examples by hand."""

from itertools import combinations

import numpy as np
import pytest

from llm_routing_env.agents.parts.consensus import estimated_errors, squared_distances


def as_the_paper_writes_it(distances: np.ndarray) -> list[float]:
    """Return the mean of (d_ij + d_ik - d_jk) / 2 over all pairs of others."""
    llms = range(len(distances))
    return [
        float(np.mean([(d[i, j] + d[i, k] - d[j, k]) / 2 for j, k in combinations([o for o in llms if o != i], 2)]))
        for d in [distances]
        for i in llms
    ]


@pytest.mark.parametrize("n_llms", [3, 4, 7])
def test_the_closed_form_is_the_mean_over_all_pairs(n_llms: int):
    distances = squared_distances(np.random.default_rng(0).normal(size=(n_llms, 5)))
    np.testing.assert_allclose(estimated_errors(distances), as_the_paper_writes_it(distances), rtol=0, atol=1e-12)


def test_three_on_a_line():
    # Squared distances 1, 9, 4. An estimate below 0 is the least: whoever divides by it gets 1/3 - 1/2 + 1/6 = 0.
    errors = estimated_errors(squared_distances(np.array([[0.0], [1.0], [3.0]])))
    np.testing.assert_allclose(errors, [3, -2, 6], atol=1e-12)


def test_on_answers_that_are_equal_or_not_it_is_plurality():
    said = np.eye(3)[[0, 0, 0, 1, 2]]
    np.testing.assert_allclose(estimated_errors(squared_distances(said)), [1 / 6, 1 / 6, 1 / 6, 1.5, 1.5], atol=1e-12)


def test_independent_errors_are_recovered():
    # An LLM's response is the truth and noise of precision 2 theta in each of 16 dimensions: V = 16 / (2 theta).
    theta, rng = np.array([2.0, 5.0, 10.0, 20.0]), np.random.default_rng(0)
    truth, noise = rng.normal(size=(20_000, 1, 16)), rng.normal(size=(20_000, 4, 16))
    distances = squared_distances(truth + noise / np.sqrt(2 * theta)[:, None]).mean(axis=0)
    np.testing.assert_allclose(16 / (2 * estimated_errors(distances)), theta, rtol=0.02)


def test_two_that_err_alike_vouch_for_each_other():
    # True thetas 3, 3, 4, 5, and the first two make the same errors: they seem three times as good as they are.
    errors = 1 / (2 * np.array([3.0, 3.0, 4.0, 5.0]))
    distances = errors[:, None] + errors
    distances[[0, 1], [1, 0]] = 0.0
    np.fill_diagonal(distances, 0.0)
    np.testing.assert_allclose(1 / (2 * estimated_errors(distances)), [9, 9, 36 / 13, 45 / 14], rtol=1e-12)


def test_turning_and_moving_all_responses_changes_nothing():
    rng = np.random.default_rng(0)
    said, (turn, _) = rng.normal(size=(10, 4, 6)), np.linalg.qr(rng.normal(size=(6, 6)))
    moved = said @ turn + rng.normal(size=6)
    errors = (estimated_errors(squared_distances(each)) for each in (said, moved))
    np.testing.assert_allclose(*errors, rtol=0, atol=1e-9)


def test_who_gave_no_response_is_left_out():
    said = np.random.default_rng(0).normal(size=(5, 6))
    silent = said.copy()
    silent[2] = np.nan
    others = [0, 1, 3, 4]
    errors = estimated_errors(squared_distances(silent))
    np.testing.assert_allclose(errors[others], estimated_errors(squared_distances(said[others])), atol=1e-12)
    assert np.isnan(errors[2])
    silent[[0, 1]] = np.nan
    assert np.isnan(estimated_errors(squared_distances(silent))).all()  # of two nobody can tell


def test_equal_responses_are_no_distance_apart_and_all_alike():
    distances = squared_distances(np.tile(np.random.default_rng(0).normal(size=8), (4, 1)))
    np.testing.assert_allclose(distances, 0.0, atol=1e-12)
    assert estimated_errors(np.zeros((4, 4))).tolist() == [0, 0, 0, 0]
