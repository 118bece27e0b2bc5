"""K-means and cluster means, by hand."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.clusters import cluster_counts, cluster_means, k_means, nearest

CORNERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


@pytest.mark.parametrize("seed", range(5))
def test_clusters_far_apart_are_found(seed):
    rng = np.random.default_rng(seed)
    offsets = rng.normal(scale=0.1, size=(20, 2))
    points = np.concatenate([corner + offsets - offsets.mean(axis=0) for corner in CORNERS])
    centres = k_means(points, 3, rng)
    np.testing.assert_allclose(centres[nearest(CORNERS, centres)], CORNERS, atol=1e-9)


def test_one_cluster_is_centred_on_the_mean():
    points = np.random.default_rng(0).normal(size=(30, 4))
    np.testing.assert_allclose(k_means(points, 1, np.random.default_rng(0)), [points.mean(axis=0)])


def test_more_clusters_than_different_points_leave_some_empty():
    points = np.repeat(CORNERS, 4, axis=0)
    centres = k_means(points, 5, np.random.default_rng(0))
    np.testing.assert_allclose(centres[nearest(points, centres)], points)


def test_of_centres_as_near_the_first_is_taken():
    np.testing.assert_array_equal(nearest(np.zeros((1, 1)), np.array([[1.0], [-1.0], [1.0]])), [0])


def test_means_are_drawn_to_the_columns_mean():
    values = np.array([[1.0, 0.0], [0.0, np.nan], [0.5, 0.6]])
    clusters = np.array([0, 0, 2])
    means = cluster_means(values, clusters, 3, prior_count=2)
    # The columns' means are .5 and .3; (1 + 0 + 2 x .5) / 4, (0 + 2 x .3) / 3, (.5 + 1) / 3, (.6 + .6) / 3.
    np.testing.assert_allclose(means, [[0.5, 0.2], [0.5, 0.3], [0.5, 0.4]])
    np.testing.assert_array_equal(cluster_counts(values, clusters, 3), [[2, 1], [0, 0], [1, 1]])


def test_a_column_without_numbers_is_never_the_best():
    means = cluster_means(np.array([[1.0, np.nan], [0.0, np.nan]]), np.array([0, 1]), 2, prior_count=2)
    np.testing.assert_allclose(means, [[2 / 3, -np.inf], [1 / 3, -np.inf]])


def test_without_a_prior_an_empty_cluster_has_the_columns_mean():
    means = cluster_means(np.array([[1.0], [0.0]]), np.array([1, 1]), 2, prior_count=0)
    np.testing.assert_allclose(means, [[0.5], [0.5]])
