"""Matching: the preference model against its theory, and pairs that are what they say."""

import numpy as np
import pytest

from llm_routing_env.rewards.matching import _partners, features, matching_weights, preference_regression


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_a_feature_that_wins_with_a_probability_has_its_log_odds(share: float):
    wins = int(1000 * share)
    differences = np.repeat([[1.0], [-1.0]], [wins, 1000 - wins], axis=0)
    (weight,) = preference_regression(differences, 1e-9)
    assert weight == pytest.approx(np.log(share / (1 - share)), abs=1e-6)


def test_at_its_end_the_penalised_loss_is_level():
    rng = np.random.default_rng(0)
    differences = rng.normal(np.array([0.5, -0.2, 0.0]), size=(200, 3))

    def loss(weights: np.ndarray) -> float:
        return float(np.log1p(np.exp(-differences @ weights)).sum() + 2.5 * weights @ weights)

    assert loss(np.zeros(3)) == pytest.approx(200 * 0.693147, abs=1e-3)  # R+ = R-
    found = preference_regression(differences, 5.0)
    for step in np.eye(3) * 1e-4:
        assert loss(found + step) > loss(found) < loss(found - step)


def test_features_by_hand():
    np.testing.assert_allclose(features(np.array([[0.6, 0.8]]), np.array([[1.0, 0.0]])), [[12.0, 0.0, 1.8]])


def test_a_response_is_compared_with_another_query_and_of_its_context_where_that_has_one():
    contexts, rng = np.array([0, 0, 0, 1, 1, 2]), np.random.default_rng(0)
    for _ in range(50):
        partners = _partners(contexts, rng)
        assert (partners != np.arange(6)).all()
        assert (contexts[partners] == contexts)[:5].all()
    alone = [int(_partners(contexts, rng)[5]) for _ in range(100)]
    assert set(alone) == {0, 1, 2, 3, 4}


def test_it_finds_the_dimensions_in_which_responses_follow_their_queries():
    # A response repeats its query in the first half of the dimensions; the rest is noise. Judged on other queries.
    rng, n, half = np.random.default_rng(0), 600, 6
    queries, noise = rng.normal(size=(2, 2 * n, 2 * half)) / np.sqrt(2 * half)
    said = np.where(np.arange(2 * half) < half, queries, noise)[:, None]
    weights = matching_weights(queries[:n], said[:n], np.ones((n, 1), dtype=bool), np.zeros(n, dtype=int), rng)
    assert weights[:half].min() > 2 * np.abs(weights[half:]).max()
    own, other = said[n:, 0], np.roll(said[n:, 0], 1, axis=0)
    assert ((queries[n:] * (own - other)) @ weights > 0).mean() > 0.9
