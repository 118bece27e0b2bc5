"""A reward model without labels: whether a response is one to this query, learned from pairs of responses.

ARMAP (Chen et al. 2025, arXiv 2502.12130) learns from a trajectory that follows its instruction and one that does not.
Here the response to the query stands against one to another query, half of the time of the same context.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_PASSES = 4
_RIDGE, _NEWTON_STEPS, _SETTLED = 5.0, 15, 1e-6
_EACH, _WHOLE = 20.0, 3.0  # scales of the features, products of numbers of unit vectors: they decide what is penalised


def matching_weights(
    queries: Floats, responses: Floats, said: NDArray[np.bool_], contexts: Ints, rng: np.random.Generator
) -> Floats:
    """Return how much each dimension counts in R = sum_d weights_d x_d y_d, shape (dimensions,).

    The features are [20 x y, 3 x . y] of a query x and a response y, and the model of a pair is Bradley and Terry's:
    the right response wins with probability sigmoid(R+ - R-). Each query gives two pairs a pass, of one of its LLMs.

    Args:
        queries: Shape (queries, dimensions).
        responses: Shape (queries, LLMs, dimensions).
        said: Which of these are responses, at least one of each query; shape (queries, LLMs).
        contexts: Shape (queries,).
        rng: Draws the pairs.
    """
    differences = []
    for _ in range(_PASSES):
        own = features(queries, _one_of(responses, said, rng))
        for others in (np.zeros_like(contexts), contexts):
            partners = _partners(others, rng)
            differences.append(own - features(queries, _one_of(responses[partners], said[partners], rng)))
    fitted = preference_regression(np.concatenate(differences), _RIDGE)
    weights: Floats = _EACH * fitted[:-1] + _WHOLE * fitted[-1]
    return weights


def features(queries: Floats, responses: Floats) -> Floats:
    """Return [20 x y, 3 x . y], shape (queries, dimensions + 1)."""
    products = queries * responses
    return np.concatenate([_EACH * products, _WHOLE * products.sum(axis=-1, keepdims=True)], axis=-1)


def preference_regression(differences: Floats, ridge: float) -> Floats:
    """Return the weights with the least sum of -log sigmoid(w . d) + ridge/2 |w|^2, by Newton's method.

    Args:
        differences: Features of the one that won less those of the one that lost, shape (pairs, features).
        ridge: Weight of the penalty, positive.
    """
    weights = np.zeros(differences.shape[1])
    penalty = ridge * np.eye(len(weights))
    for _ in range(_NEWTON_STEPS):
        won = 1 / (1 + np.exp(-differences @ weights))
        gradient = penalty @ weights - differences.T @ (1 - won)
        curvature = (differences * (won * (1 - won))[:, None]).T @ differences + penalty
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < _SETTLED:
            break
    return weights


def _one_of(responses: Floats, said: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Return a response of each query, of an LLM that is drawn, shape (queries, dimensions)."""
    chosen = np.where(said, rng.random(said.shape), -1.0).argmax(axis=1)
    one: Floats = responses[np.arange(len(chosen)), chosen]
    return one


def _partners(groups: Ints, rng: np.random.Generator) -> Ints:
    """Return another query for each, of its group where that has one; two queries or more; shape (queries,)."""
    n_queries = len(groups)
    partners = (np.arange(n_queries) + rng.integers(1, n_queries, size=n_queries)) % n_queries
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if len(members) > 1:
            shifts = rng.integers(1, len(members), size=len(members))
            partners[members] = members[(np.arange(len(members)) + shifts) % len(members)]
    return partners
