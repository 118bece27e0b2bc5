"""Probabilities of being the best arm, against draws and closed forms."""

import numpy as np
import pytest

from llm_routing_env.agents.posterior_sampling import (
    beta_probability_of_best,
    gaussian_probability_of_best,
    normal_distribution,
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


def test_two_gaussians_have_a_closed_form():
    probabilities = gaussian_probability_of_best(np.array([[1.0, 0.0]]), np.array([[3.0, 4.0]]))
    np.testing.assert_allclose(probabilities[0, 0], normal_distribution(np.array(1 / 5)), atol=1e-3)


@pytest.mark.parametrize("allowed", [[True] * 3, [True, True, False]])
def test_beta_probabilities_are_the_frequencies_of_draws(allowed):
    first, second = np.array([[1.0, 30.0, 0.5]]), np.array([[1.0, 10.0, 0.5]])
    draws = np.random.default_rng(0).beta(first, second, size=(200_000, 3))
    probabilities = beta_probability_of_best(first, second, np.array([allowed]))
    np.testing.assert_allclose(probabilities[0], frequencies(draws, allowed), atol=0.02)


def test_uniform_beta_scores_are_equally_likely_to_win():
    np.testing.assert_allclose(beta_probability_of_best(np.ones((1, 5)), np.ones((1, 5))), np.full((1, 5), 0.2))


def test_certain_scores_leave_no_doubt():
    certain = gaussian_probability_of_best(np.array([[0.2, 0.1]]), np.zeros((1, 2)))
    np.testing.assert_allclose(certain, [[1, 0]], atol=1e-12)


def test_normal_distribution_has_its_known_values():
    z = np.array([-1.959963985, 0.0, 1.0, 1.644853627])
    np.testing.assert_allclose(normal_distribution(z), [0.025, 0.5, 0.8413447461, 0.95], rtol=0, atol=1e-7)
