"""The reward model of the direct and the doubly robust estimates: ridge regression per LLM, never on its own query."""

import numpy as np

from llm_routing_env.agents.parts.linear_model import ridge_regression
from llm_routing_env.evaluation.off_policy.logged import Floats, Ints

FOLDS = 5
RIDGE = 1.0  # as if each context had one more query, of the LLM's mean


def cross_fitted(value: Floats, action: Ints, queries: Ints, features: Floats, n_llms: int) -> Floats:
    """Return what each LLM is predicted to get at each step, by models that were fitted without its query.

    Queries are dealt to five folds, all steps of one together (Chernozhukov et al. 2018). Where an LLM was asked
    nothing outside a fold, the mean of all others stands in.

    Args:
        value: What was got, shape (n,).
        action: Who got it, shape (n,).
        queries: The query of each step, shape (n,).
        features: What is known of each step's query, shape (n, size); size 0: each LLM's mean.
        n_llms: Number of LLMs.
    """
    numbers = np.unique(queries, return_inverse=True)[1]
    dealt = np.random.default_rng(0).permutation(numbers.max() + 1) % FOLDS
    fold = dealt[numbers]
    targets = np.full((len(value), n_llms), np.nan)
    targets[np.arange(len(value)), action] = value
    model = np.full(targets.shape, value.mean())
    for held_out in range(FOLDS):
        fitted, here = fold != held_out, fold == held_out
        if fitted.any():
            model[here] = _predict(features[fitted], targets[fitted], features[here])
    return model


def _predict(features: Floats, targets: Floats, queries: Floats) -> Floats:
    asked = np.flatnonzero(~np.isnan(targets).all(axis=0))
    coefficients = ridge_regression(features, targets[:, asked], RIDGE)
    predicted = np.full((len(queries), targets.shape[1]), np.nanmean(targets))
    predicted[:, asked] = coefficients[0] + queries @ coefficients[1:]
    return predicted
