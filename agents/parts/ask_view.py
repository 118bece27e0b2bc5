"""How observations tell, beside the query, who was asked and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray

ASKS = "+asks"  # follows what is seen of the query; behind it each measure, "embedding+asks+smoothie"
_OWN = 3  # order, group and share; then the measures


def observation_of_asks(query: str, measures: Sequence[str]) -> str:
    """Return how an observation is called that shows a query, its asks, and some measures of their answers."""
    return "+".join([f"{query}{ASKS}", *measures])


def seen_of_asks(observation: str) -> tuple[str, tuple[str, ...]]:
    """Return what an observation shows of the query, and the measures that it shows of answers."""
    query, _, measures = observation.partition(ASKS)
    return query, tuple(filter(None, measures.split("+")))


def size_of_asks(n_llms: int, n_measures: int) -> int:
    """Return how many numbers follow those of the query."""
    return n_llms * (_OWN + n_measures) + 1


def write_asks(
    order: IntArray, group: IntArray, share: FloatArray, ranks: Sequence[FloatArray], is_closed: BoolArray
) -> NDArray[np.float32]:
    """Return what `AskView` reads, shape (sessions, numbers).

    Args:
        order: Ask number of each LLM, 0: not asked, shape (sessions, LLMs).
        group: Number of its answer, 0: none, or not shown; the same shape.
        share: Of the asked LLMs, how many gave that answer; the same shape.
        ranks: Each measure of its answer, in [-1, 1], -1: not shown; the same shapes.
        is_closed: Whether nobody can be asked any more, shape (sessions,).
    """
    n_sessions, n_llms = order.shape
    written = np.empty((n_sessions, size_of_asks(n_llms, len(ranks))), dtype=np.float32)
    by_llm = written[:, :-1].reshape(n_sessions, n_llms, _OWN + len(ranks))  # a view
    by_llm[..., 0] = np.where(order > 0, (n_llms + 1 - order) / n_llms, 0.0)
    by_llm[..., 1], by_llm[..., 2] = group / n_llms, share
    for place, rank in enumerate(ranks, start=_OWN):
        by_llm[..., place] = rank
    written[:, -1] = is_closed
    return written


def lowest_if_unknown(measure: FloatArray) -> FloatArray:
    """Return a measure of answers with the lowest rank, -1, in the place of NaN."""
    known: FloatArray = np.where(np.isnan(measure), -1.0, measure)
    return known


class AskView:
    """An observation of `PickLLM-Multi-v0`, part by part.

    Attributes:
        query: What is seen of the query, shape (sessions, size).
        order: Ask number of each LLM, from 1; 0: not asked; shape (sessions, LLMs).
        group: Number of its answer by first appearance, from 1; 0: none, or not shown; shape (sessions, LLMs).
        share: Share of the asked LLMs that gave its answer; 0: none, or not shown; shape (sessions, LLMs).
        measures: Of each measure the rank of its answer's among those of the LLM's answers on the train split, or what
            a score without references says, in [-1, 1]; NaN where not shown, or not known; shape (sessions, LLMs).
        is_closed: Whether nobody can be asked any more: parallel asks whose answers have come; shape (sessions,).
    """

    def __init__(self, observation: ArrayLike, n_llms: int, measures: Sequence[str] = ()) -> None:
        """Read observations of shape (sessions, size), or one of shape (size,).

        Args:
            observation: What the environment gave.
            n_llms: LLMs of the pool.
            measures: The environment's argument of that name.

        Raises:
            ValueError: The observation is too short to be one of so many LLMs and measures.
        """
        rows = np.atleast_2d(np.asarray(observation, dtype=np.float64))
        size = size_of_asks(n_llms, len(measures))
        if rows.ndim != 2 or rows.shape[1] <= size:
            raise ValueError(
                f"observation must have more than {size} numbers, those of {n_llms} LLMs with {len(measures)} measures "
                f"and then the query's, got shape {np.shape(observation)}."
            )
        by_llm = rows[:, -size:-1].reshape(len(rows), n_llms, -1)
        self.query: FloatArray = rows[:, :-size]
        place = np.rint(by_llm[..., 0] * n_llms).astype(np.int64)
        self.order: IntArray = np.where(place > 0, n_llms + 1 - place, 0)
        self.group: IntArray = np.rint(by_llm[..., 1] * n_llms).astype(np.int64)
        self.share: FloatArray = by_llm[..., 2]
        ranks = by_llm[..., _OWN:]
        self.measures: Mapping[str, FloatArray] = {
            name: np.where(ranks[..., number] > -1, ranks[..., number], np.nan) for number, name in enumerate(measures)
        }
        self.is_closed: BoolArray = rows[:, -1] > 0
