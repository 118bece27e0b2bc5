"""K-means, and the means of a table's columns in each cluster."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray, IntArray

_ROUNDS = 50
_TOLERANCE = 1e-4  # of the variance, by which all centres together may still move
_ROUNDING = 1e-12  # distances to the same centre differ by it between a batch and a single query


def k_means(points: FloatArray, n_clusters: int, rng: np.random.Generator, n_starts: int = 4) -> FloatArray:
    """Return the centres of the clusters with the least summed squared distance that several starts lead to.

    Lloyd's rounds (1982) from starts of k-means++ (Arthur and Vassilvitskii 2007). A cluster that loses all its points
    keeps its centre.

    Args:
        points: Shape (points, dimensions).
        n_clusters: At least 1.
        rng: Draws the starts.
        n_starts: How many.

    Returns:
        Shape (clusters, dimensions).
    """
    found = [_settled(points, _start(points, n_clusters, rng)) for _ in range(n_starts)]
    return min(found, key=lambda result: result[0])[1]


def nearest(points: FloatArray, centres: FloatArray) -> IntArray:
    """Return which centre each point is nearest to, the first of several, shape (points,)."""
    distances = _distances(points, centres)
    first: IntArray = np.argmax(distances <= distances.min(axis=1, keepdims=True) + _ROUNDING, axis=1)
    return first


def cluster_means(values: FloatArray, clusters: IntArray, n_clusters: int, prior_count: float) -> FloatArray:
    """Return each column's mean in each cluster, drawn to its mean over all.

    Args:
        values: Shape (points, columns); NaN does not count.
        clusters: The cluster of each point, shape (points,).
        n_clusters: How many there are.
        prior_count: How many points at the column's overall mean are added to each cluster.

    Returns:
        Shape (clusters, columns); the overall mean where there is nothing else, and minus infinity where not even that.
    """
    counts, sums = cluster_counts(values, clusters, n_clusters), np.zeros((n_clusters, values.shape[1]))
    np.add.at(sums, clusters, np.nan_to_num(values))
    total, weights = counts.sum(axis=0), counts + prior_count
    overall = np.where(total > 0, sums.sum(axis=0) / np.maximum(total, 1), 0.0)
    means = np.where(weights > 0, (sums + prior_count * overall) / np.where(weights > 0, weights, 1), overall)
    known: FloatArray = np.where(total > 0, means, -np.inf)
    return known


def cluster_counts(values: FloatArray, clusters: IntArray, n_clusters: int) -> FloatArray:
    """Return how many numbers each column has in each cluster, shape (clusters, columns), as of `cluster_means`."""
    counts = np.zeros((n_clusters, values.shape[1]))
    np.add.at(counts, clusters, ~np.isnan(values))
    return counts


def _start(points: FloatArray, n_clusters: int, rng: np.random.Generator) -> FloatArray:
    """Return centres that are points, each drawn by its squared distance from those before."""
    chosen, squares = [int(rng.integers(len(points)))], np.square(points).sum(axis=1)
    distances = np.full(len(points), np.inf)
    while len(chosen) < n_clusters:
        latest = points[chosen[-1]]
        distances = np.minimum(distances, np.maximum(squares - 2 * points @ latest + latest @ latest, 0.0))
        total = distances.sum()
        chosen.append(int(rng.choice(len(points), p=distances / total if total > 0 else None)))
    return points[chosen]


def _settled(points: FloatArray, centres: FloatArray) -> tuple[float, FloatArray]:
    """Return how far points are from their centres, and the centres, where Lloyd's rounds end."""
    enough = _TOLERANCE * points.var(axis=0).sum()
    for _ in range(_ROUNDS):
        clusters = nearest(points, centres)
        members = (clusters == np.arange(len(centres))[:, None]).astype(np.float64)
        sizes = members.sum(axis=1, keepdims=True)
        moved = np.where(sizes > 0, members @ points / np.maximum(sizes, 1), centres)
        is_settled = np.square(moved - centres).sum() <= enough
        centres = moved
        if is_settled:
            break
    return float(_distances(points, centres).min(axis=1).sum()), centres


def _distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    """Return squared distances less each point's own square, which no comparison needs; shape (points, centres)."""
    distances: FloatArray = np.square(centres).sum(axis=1) - 2 * points @ centres.T
    return distances
