"""Scores that need no reference: what the responses of a recorded table say of each other, and of their queries.

They are taken for accuracies with `scorer=`, and are shown of answers in `PickLLM-Multi-v0` with `measures=`. They are
proxies: how far they are from right and wrong is for a table with references to say (docs/tables.md).
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.consensus import FEWEST, estimated_errors, squared_distances
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.observations.embedding_file import embeddings_path, read_embeddings
from llm_routing_env.observations.response_embeddings import (
    NO_RESPONSE,
    encoder_of,
    response_embeddings,
    response_embeddings_path,
)
from llm_routing_env.rewards.matching import matching_weights
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]
_BLOCK = 256  # queries at once, whose embedded responses are held


def smoothie(table: OutcomeTable) -> Floats:
    """Return 1 - V/2, within 0 and 1, where V is how far a response errs, see `estimated_errors`.

    Embeddings have length 1, so it is the estimated cosine between the response and the truth. 0 where fewer than three
    LLMs responded to a query: nobody can tell then.

    Raises:
        ValueError: The table has less than three LLMs, no responses, or no embeddings of them.
    """
    return error_scores(estimated_errors(response_distances(table))).swapaxes(1, 2)


def error_scores(errors: Floats) -> Floats:
    """Return the scores of estimated squared errors, 0 for NaN."""
    return np.where(np.isnan(errors), 0.0, np.clip(1 - np.nan_to_num(errors) / 2, 0.0, 1.0))


@lru_cache(maxsize=2)
def response_distances(table: OutcomeTable) -> Floats:
    """Return how far the responses of two LLMs to a query lie from each other, shape (queries, repeats, LLMs, LLMs).

    Squared distances of embeddings; NaN where a call failed, was not made, or gave an empty text.

    Raises:
        ValueError: See `smoothie`.
    """
    if table.n_llms < FEWEST:
        raise ValueError(
            f"The table {table.name} has {table.n_llms} LLM(s), and who differs from the others can be seen of "
            f"{FEWEST} or more."
        )
    vectors, numbers = response_embeddings(table)
    found = np.empty((table.n_queries, table.n_repeats, table.n_llms, table.n_llms))
    for start in range(0, table.n_queries, _BLOCK):
        said = numbers[start : start + _BLOCK].swapaxes(1, 2)
        distances = squared_distances(vectors[said].astype(np.float64))
        distances[said[..., :, None] == said[..., None, :]] = 0.0  # not only up to rounding
        is_none = said == NO_RESPONSE
        distances[is_none[..., :, None] | is_none[..., None, :]] = np.nan
        found[start : start + _BLOCK] = distances
    found.flags.writeable = False
    return found


@lru_cache(maxsize=2)
def matching(table: OutcomeTable) -> Floats:
    """Return how well responses match their queries, by a reward model that is fitted on the train split's responses.

    It is sigmoid((R - median) / sd), see `matching_weights`, with median and sd of the train split; 0 for an empty
    response.

    Raises:
        ValueError: The table has no responses or no embeddings of them, those of its queries are another model's, or
            its train split has fewer than two queries.
    """
    queries, (vectors, numbers) = read_embeddings(table, "embedding").astype(np.float64), response_embeddings(table)
    _require_one_model(table)
    said = numbers != NO_RESPONSE
    train = np.flatnonzero(table.is_train & said.any(axis=(1, 2)))
    if len(train) < 2:
        raise ValueError(
            f"The table {table.name} has responses to {len(train)} queries of the train split, and a response is told "
            "from those to other queries: two or more are needed."
        )
    first = said[train].argmax(axis=2)[..., None]  # of each LLM's repeats
    chosen, has_one = (np.take_along_axis(values[train], first, axis=2)[..., 0] for values in (numbers, said))
    responses, contexts = vectors[chosen].astype(np.float64), table.query_contexts[train]
    weights = matching_weights(queries[train], responses, has_one, contexts, np.random.default_rng(0))
    blocks = [slice(start, start + _BLOCK) for start in range(0, table.n_queries, _BLOCK)]
    wanted = queries * weights
    rewards = np.concatenate([np.einsum("qd,qmrd->qmr", wanted[rows], vectors[numbers[rows]]) for rows in blocks])
    known = rewards[train][said[train]]
    scores: Floats = 1 / (1 + np.exp(-(rewards - np.median(known)) / (known.std() or 1.0)))
    scores[~said] = 0.0
    scores.flags.writeable = False
    return scores


REFERENCE_FREE: dict[str, Callable[[OutcomeTable], Floats]] = {"smoothie": smoothie, "matching": matching}


def proxy_notes(scorer: str) -> list[str]:
    """Return the line that goes with every accuracy by a scorer without references; none for another one."""
    if scorer not in REFERENCE_FREE:
        return []
    return [
        f"What is called accuracy, and right, is the score {scorer!r} here, which knows no reference: not whether "
        "answers are right (docs/tables.md)."
    ]


def accuracies(table: OutcomeTable, scorer: str) -> Floats:
    """Return what a scorer says of a table, recorded or without references, shape (queries, LLMs, repeats).

    Raises:
        ValueError: For an unknown scorer, or a table that lacks what it compares.
    """
    if scorer in table.scorers:
        return table.accuracy(scorer)
    if scorer not in REFERENCE_FREE:
        hint = f"The table records {', '.join(table.scorers)}; the others compare its responses."
        raise unknown_name("scorer", scorer, (*table.scorers, *REFERENCE_FREE), hint)
    return np.where(table.present[..., None], REFERENCE_FREE[scorer](table), np.nan)


def mean_distances(table: OutcomeTable, queries: NDArray[np.int64]) -> Floats:
    """Return the `response_distances` of some queries, the mean over their repeats, shape (queries, LLMs, LLMs)."""
    distances = response_distances(table)[queries]
    counts = (~np.isnan(distances)).sum(axis=1)
    sums = np.nan_to_num(distances).sum(axis=1)
    means: Floats = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _require_one_model(table: OutcomeTable) -> None:
    assert table.path is not None
    paths = embeddings_path(table.path), response_embeddings_path(table.path)
    of_queries, of_responses = map(encoder_of, paths)
    if of_queries != of_responses:
        raise ValueError(
            f"The table {table.name} has embeddings of its queries by {of_queries!r} and of its responses by "
            f"{of_responses!r}: compare them by one, `pickllm embed TABLE --responses --model {of_queries}`."
        )
