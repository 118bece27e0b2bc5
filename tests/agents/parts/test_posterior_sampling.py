"""Probabilities of being the best arm, against draws, closed forms, and integrals by brute force."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from llm_routing_env.agents.parts.posterior_sampling import (
    beta_probability_of_best,
    gaussian_probability_of_best,
    scaled_beta_probability_of_best,
)


def frequencies(draws, allowed):
    best = np.where(allowed, draws, -np.inf).argmax(axis=1)
    return np.bincount(best, minlength=draws.shape[1]) / len(draws)


@pytest.mark.parametrize("allowed", [[True] * 4, [True, False, True, True]])
def test_gaussian_probabilities_are_the_frequencies_of_draws(allowed):
    mean, deviation = np.array([[0.0, 0.5, 0.2, 0.3]]), np.array([[1.0, 0.01, 0.3, 0.02]])
    draws = np.random.default_rng(0).normal(mean, deviation, size=(200_000, 4))
    probabilities = gaussian_probability_of_best(mean, deviation, np.array([allowed]))
    np.testing.assert_allclose(probabilities[0], frequencies(draws, allowed), atol=0.005)


@pytest.mark.parametrize("probability", [0.4, 1e-2, 1e-4, 1e-6, 1e-8])
@pytest.mark.parametrize("deviations", [(3.0, 4.0), (0.06, 0.02), (0.02, 0.06), (1.0, 1e-5), (1e-5, 1.0)])
def test_two_gaussians_have_a_closed_form(probability, deviations):
    gap = -NormalDist().inv_cdf(probability) * math.hypot(*deviations)
    probabilities = gaussian_probability_of_best(np.array([[7.0, 7.0 + gap]]), np.array([deviations]))
    exact = math.erfc(gap / math.hypot(*deviations) / math.sqrt(2)) / 2
    np.testing.assert_allclose(probabilities[0], [exact, 1 - exact], rtol=1e-6)


THREE = np.array([0.0, 0.3, 0.45]), np.array([0.06, 0.02, 0.1])


@pytest.mark.parametrize("arm", [0, 1, 2])
def test_three_gaussians_are_integrated_to_the_same_in_small_steps(arm):
    """The probability of the first is 5e-8."""
    means, deviations = THREE
    scores, step = np.linspace(-1.0, 2.0, 60_001, retstep=True)
    z = (scores - means[:, None]) / deviations[:, None]
    below = np.vectorize(math.erfc)(-z / math.sqrt(2)) / 2
    density = np.exp(-np.square(z[arm]) / 2) / math.sqrt(2 * math.pi) / deviations[arm]
    exact = (density * np.delete(below, arm, axis=0).prod(axis=0)).sum() * step
    assert gaussian_probability_of_best(means[None], deviations[None])[0, arm] == pytest.approx(exact, rel=1e-8)


def test_a_masked_gaussian_takes_no_part_in_the_tail_either():
    means, deviations = (np.array([values[0], 50.0, values[1], values[2]]) for values in THREE)
    allowed = np.array([[True, False, True, True]])
    probabilities = gaussian_probability_of_best(means[None], deviations[None], allowed)
    expected = gaussian_probability_of_best(*(values[None] for values in THREE))
    np.testing.assert_allclose(probabilities, np.insert(expected, 1, 0.0, axis=1), rtol=1e-9)


def test_many_sessions_are_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    means, deviations = rng.random((500, 4)), rng.uniform(0.01, 0.3, (500, 4))
    together = gaussian_probability_of_best(means, deviations)
    alone = [gaussian_probability_of_best(means[[row]], deviations[[row]])[0] for row in range(500)]
    np.testing.assert_allclose(together, alone, rtol=1e-9)


def exceeds(first, second):
    """Return P(X > Y) for Beta variables, the first with whole parameters: a finite sum of positive terms."""
    (a, b), (c, d) = first, second

    def log_beta(x, y):
        return math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y)

    terms = (log_beta(c + i, b + d) - math.log(b + i) - log_beta(1 + i, b) - log_beta(c, d) for i in range(a))
    return math.fsum(map(math.exp, terms))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 1), (1, 1)),
        ((2, 6), (150, 20)),  # 3e-5
        ((3, 9), (120, 40)),
        ((2, 9), (160, 20)),  # 1e-7
        ((1, 1), (4000, 10)),
        ((300, 500), (3000, 4000)),  # narrower than a five-hundredth of [0, 1]
        ((20, 20), (4000, 1900)),
    ],
)
def test_two_betas_have_a_closed_form(first, second):
    exact = exceeds(first, second)
    parameters = np.array([[first, second]], dtype=float)
    probabilities = beta_probability_of_best(parameters[:, :, 0], parameters[:, :, 1])
    np.testing.assert_allclose(probabilities[0], [exact, exceeds(second, first)], rtol=1e-6)


@pytest.mark.parametrize("allowed", [[True] * 3, [True, True, False]])
def test_beta_probabilities_are_the_frequencies_of_draws(allowed):
    first, second = np.array([[1.0, 30.0, 0.5]]), np.array([[1.0, 10.0, 0.5]])
    draws = np.random.default_rng(0).beta(first, second, size=(200_000, 3))
    probabilities = beta_probability_of_best(first, second, np.array([allowed]))
    np.testing.assert_allclose(probabilities[0], frequencies(draws, allowed), atol=0.005)


def test_uniform_beta_scores_are_equally_likely_to_win():
    np.testing.assert_allclose(beta_probability_of_best(np.ones((1, 5)), np.ones((1, 5))), np.full((1, 5), 0.2))


def test_certain_scores_leave_no_doubt():
    certain = gaussian_probability_of_best(np.array([[0.2, 0.1]]), np.zeros((1, 2)))
    np.testing.assert_allclose(certain, [[1, 0]], atol=1e-12)


def test_scaled_betas_have_the_probabilities_of_uniform_variables():
    """Of U on [0, 1] and V on [0.5, 1.5], U is above in a triangle of area 1/8; turned round, V is the same."""
    ones = np.ones((1, 2))
    for base, gain in [([[0, 0.5]], [[1, 1]]), ([[0, 1.5]], [[1, -1]])]:
        found = scaled_beta_probability_of_best(ones, ones, np.array(base, float), np.array(gain, float))
        np.testing.assert_allclose(found, [[1 / 8, 7 / 8]], rtol=1e-9)


def test_scaled_betas_with_no_scale_are_certain():
    ones = np.ones((1, 3))
    found = scaled_beta_probability_of_best(ones, ones, np.array([[0.75, 0.0, 0.2]]), np.array([[0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.75, 0.25, 0.0]], atol=1e-6)


@pytest.mark.parametrize("least", [1.0, 5.0, 500.0])
def test_unscaled_betas_are_as_before(least):
    first, second = np.random.default_rng(0).uniform(least, 4 * least, size=(2, 5, 4))
    found = scaled_beta_probability_of_best(first, second, np.zeros_like(first), np.ones_like(first))
    np.testing.assert_allclose(found, beta_probability_of_best(first, second), atol=1e-6)
