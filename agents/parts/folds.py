"""Cross-validation on the training queries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from llm_routing_env.agents.parts.state import IntArray

N_FOLDS = 5


def folds(groups: IntArray, rng: np.random.Generator, n_folds: int = N_FOLDS) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield the queries to fit on and those to try on, each query tried once; copies stay together.

    Args:
        groups: A number for each query, the same for copies, all numbers from 0 on; shape (queries,).
        rng: Draws which query is tried when.
        n_folds: How many pairs; fewer where there are not so many different queries, none for one alone.
    """
    n_groups = int(groups.max()) + 1
    fold = (rng.permutation(n_groups) % n_folds)[groups]
    for number in range(min(n_folds, n_groups) if n_groups > 1 else 0):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)
