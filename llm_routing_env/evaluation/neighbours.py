"""What query embeddings are worth: a nearest-neighbour router that saw every LLM's reward, cross-validated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.reward_table import best_of_known

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
FOLDS = 5
SIZES = (10, 20, 50, 100, 200)  # candidates for the number of neighbours
MAX_QUERIES = 20_000  # similarities of more take minutes; a random part of them is judged then
_BLOCK = 512


@dataclass(frozen=True)
class NeighbourRouting:
    """A cross-validated nearest-neighbour router.

    Attributes:
        queries: The queries judged, as indices.
        informed: Each one's reward under the router.
        fixed: Each one's reward under the LLM that is best on the other folds.
        sizes: Neighbours asked in each fold.
    """

    queries: Ints
    informed: Floats
    fixed: Floats
    sizes: tuple[int, ...]


def route_by_neighbours(
    embeddings: NDArray[np.float32],
    means: Floats,
    contexts: Ints,
    prompts: Sequence[str],
    rng: np.random.Generator,
    *,
    sizes: Sequence[int] = SIZES,
) -> NeighbourRouting:
    """Send each query to the LLM with the best mean reward among its nearest neighbours of the other folds.

    The number of neighbours used in a fold is the one that did best on the other folds, by neighbours that lie outside
    that fold too: nothing about a fold's rewards enters its choices. Queries with the same prompt share a fold.

    Args:
        embeddings: Rows of length 1, shape (queries, dimensions).
        means: Expected rewards, NaN where an LLM was not asked, shape (queries, LLMs).
        contexts: Each query's context, as an index; they count equally in every choice.
        prompts: The queries' texts.
        rng: Draws the folds.
        sizes: Candidate numbers of neighbours.
    """
    queries = np.arange(len(means))
    if len(queries) > MAX_QUERIES:
        queries = np.sort(rng.choice(queries, MAX_QUERIES, replace=False))
    embeddings, means = embeddings[queries], means[queries]
    weights = 1 / np.bincount(contexts[queries])[contexts[queries]]
    folds = _draw_folds([prompts[int(query)] for query in queries], rng)
    gained = _gained(embeddings, means, folds, tuple(sizes))
    informed, fixed = np.empty(len(means)), np.empty(len(means))
    chosen = []
    for fold in range(FOLDS):
        mine = folds == fold
        if not mine.any():
            continue
        best = int(np.argmax((weights[~mine] * gained[fold][:, ~mine]).sum(axis=1)))
        informed[mine] = gained[fold, best, mine]
        fixed[mine] = _routed(_weighted_mean(weights[~mine], means[~mine])[None], means[mine])
        chosen.append(int(sizes[best]))
    return NeighbourRouting(queries, informed, fixed, tuple(chosen))


def _draw_folds(prompts: Sequence[str], rng: np.random.Generator) -> Ints:
    _, group = np.unique(np.array(prompts, dtype=object), return_inverse=True)
    n_groups = int(group.max()) + 1
    return np.asarray((rng.permutation(n_groups) % FOLDS)[group])


def _gained(embeddings: NDArray[np.float32], means: Floats, folds: Ints, sizes: tuple[int, ...]) -> Floats:
    """Return rewards of shape (folds, sizes, queries): a query's, by neighbours of neither its own nor that fold."""
    gained = np.empty((FOLDS, len(sizes), len(means)))
    is_known = (~np.isnan(means)).astype(np.float64)
    known_means = np.where(is_known > 0, means, 0.0)
    n_kept = min(len(means) - 1, 2 * max(sizes))  # a quarter of them falls into the fold to leave out
    for start in range(0, len(means), _BLOCK):
        block = slice(start, start + _BLOCK)
        near = _nearest(embeddings, embeddings[block], folds[block, None] == folds[None, :], n_kept)
        mine = np.arange(len(means))[block]
        for fold in range(FOLDS):
            usable = (folds[near] != fold) & (folds[near] != folds[mine, None])
            rank = np.cumsum(usable, axis=1)
            for number, size in enumerate(sizes):
                asked = (usable & (rank <= size)).astype(np.float64)
                sums = np.einsum("qn,qnl->ql", asked, known_means[near], optimize=True)
                counts = np.einsum("qn,qnl->ql", asked, is_known[near], optimize=True)
                estimates = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
                gained[fold, number, block] = _routed(estimates, means[mine])
    return gained


def _weighted_mean(weights: Floats, values: Floats) -> Floats:
    """Return the weighted mean over queries of what is known, shape (LLMs,)."""
    is_known = ~np.isnan(values)
    totals = (weights[:, None] * np.where(is_known, values, 0.0)).sum(axis=0)
    return np.asarray(totals / np.maximum((weights[:, None] * is_known).sum(axis=0), 1e-300))


def _routed(scores: Floats, rewards: Floats) -> Floats:
    """Return each query's reward under the LLM of the highest score that was asked it; both (queries, LLMs)."""
    llms = best_of_known(scores, ~np.isnan(rewards))
    return np.asarray(rewards[np.arange(len(rewards)), llms])


def _nearest(
    embeddings: NDArray[np.float32], asked: NDArray[np.float32], excluded: NDArray[np.bool_], n_kept: int
) -> Ints:
    """Return the indices of each asked query's most similar queries, the most similar first."""
    similarity = asked @ embeddings.T
    similarity[excluded] = -np.inf
    near = np.argpartition(-similarity, n_kept - 1, axis=1)[:, :n_kept]
    order = np.argsort(-np.take_along_axis(similarity, near, axis=1), axis=1, kind="stable")
    return np.asarray(np.take_along_axis(near, order, axis=1))
