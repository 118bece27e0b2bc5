"""Means over the most similar training queries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from llm_routing_env.agents.parts.state import FloatArray

# Cosines of the same two queries differ by rounding, between a batch and a single session for instance.
_ROUNDING = 1e-12


def neighbour_means(
    similarity: FloatArray, values: FloatArray, weights: FloatArray, sizes: Sequence[int]
) -> Iterator[FloatArray]:
    """For each number of neighbours, yield each LLM's mean over them, shape (observations, LLMs).

    Queries as similar as the last neighbour count too, so that the order of the training queries does not matter. An
    LLM of which nothing is known there has its mean over all queries.

    Args:
        similarity: Cosines, shape (observations, queries); minus infinity for queries that are left out.
        values: What is averaged, shape (queries, LLMs); NaN where nothing is known.
        weights: How much each query counts, shape (queries,).
        sizes: Numbers of neighbours, all queries if there are fewer.
    """
    n_queries = similarity.shape[1]
    lasts = [n_queries - min(size, n_queries) for size in sizes]
    known = ~np.isnan(values) * weights[:, None]
    counted = np.where(known > 0, values, 0.0) * weights[:, None]
    overall = counted.sum(axis=0) / known.sum(axis=0)
    ordered = np.partition(similarity, lasts, axis=1)
    for last in lasts:
        threshold = np.maximum(ordered[:, [last]], -1.0) - _ROUNDING
        is_near = (similarity >= threshold).astype(np.float64)
        n_known = is_near @ known
        yield np.where(n_known > 0, is_near @ counted / np.where(n_known > 0, n_known, 1.0), overall)
