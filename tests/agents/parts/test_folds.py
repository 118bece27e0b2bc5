"""Cross-validation: every query is tried once, copies together."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.folds import folds


@pytest.mark.parametrize(("n_queries", "expected"), [(20, 5), (3, 3), (2, 2), (1, 0)])
def test_every_query_is_tried_once_and_never_fitted_on_meanwhile(n_queries, expected):
    pairs = list(folds(np.arange(n_queries), np.random.default_rng(0)))
    assert len(pairs) == expected
    for fitted, tried in pairs:
        assert sorted([*fitted, *tried]) == list(range(n_queries))
    if pairs:
        assert sorted(np.concatenate([tried for _, tried in pairs])) == list(range(n_queries))


def test_copies_stay_together():
    groups = np.repeat(np.arange(10), 3)
    for fitted, tried in folds(groups, np.random.default_rng(0)):
        assert not set(groups[fitted]) & set(groups[tried])
