"""What pretrained agents are fitted on: the LLMs' outcomes on queries that no agent is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.copies import copy_groups
from llm_routing_env.agents.parts.session_array import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import N_OBJECTIVES

_MEASURES = ("rewards", "accuracy", "cost_usd", "latency_s")


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """Full information about the training queries, each number the mean over a query's repeats.

    A query need not have been asked of every LLM: where it was not, all four measures are NaN.

    Attributes:
        observations: What an agent sees of each query, shape (queries, observation_size); (queries,) for prompts.
        rewards: Shape (queries, LLMs).
        accuracy: In [0, 1], shape (queries, LLMs).
        cost_usd: In US dollars, shape (queries, LLMs); all NaN where costs were not recorded.
        latency_s: In seconds, shape (queries, LLMs); all NaN where latencies were not recorded.
        weights: How much each row counts, positive, shape (queries,); None: all the same.
        prompts: A number for each query, the same for the same prompt, shape (queries,); None: queries that look alike
            are taken for copies.
        response_distances: Squared distances between the embeddings of the LLMs' responses, the mean over repeats, NaN
            where one of the two gave none; shape (queries, LLMs, LLMs). None: not for this agent, see
            `Agent.needs_responses`.
        objectives: Accuracy, cost and latency in the units of `PickLLM-MO-v0`, the higher the better, shape (queries,
            LLMs, 3); a failed call counts as the worst. None: not for this agent, see `RoutingTask.shows_preference`.
    """

    observations: NDArray[Any]
    rewards: FloatArray
    accuracy: FloatArray
    cost_usd: FloatArray
    latency_s: FloatArray
    weights: FloatArray = None  # type: ignore[assignment]  # __post_init__ fills them in
    prompts: IntArray | None = None
    response_distances: FloatArray | None = None
    objectives: FloatArray | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that disagree, numbers that are infinite or missing, and LLMs that were never asked."""
        are_texts = self.are_texts
        if self.weights is None:
            object.__setattr__(self, "weights", np.ones(len(self.rewards)))
        for name in ("observations", *_MEASURES, "weights", "response_distances", "objectives"):
            kind = np.object_ if are_texts and name == "observations" else np.float64
            if getattr(self, name) is not None:
                object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=kind))
        self._check_shapes()
        if not are_texts:
            self._require_finite("observations", True)
        has_cell = self.has_cell
        for name in _MEASURES:
            is_absent = name in ("cost_usd", "latency_s") and np.isnan(getattr(self, name)).all()
            if not is_absent:
                self._require_finite(name, has_cell)
        if self.objectives is not None and not np.isfinite(self.objectives[has_cell]).all():
            raise ValueError("TrainingTable: objectives must be finite where a query was asked of an LLM.")
        never_asked = np.flatnonzero(~has_cell.any(axis=0)).tolist()
        if never_asked:
            raise ValueError(f"TrainingTable: each LLM must have a training query, got none for LLM {never_asked[0]}.")

    def _check_shapes(self) -> None:
        shape = self.rewards.shape
        if len(shape) != 2 or not all(shape):
            raise ValueError(f"TrainingTable: rewards must be of shape (queries, LLMs), not empty, got {shape}.")
        for name in _MEASURES[1:]:
            actual = getattr(self, name).shape
            if actual != shape:
                raise ValueError(f"TrainingTable: {name} must be of shape {shape}, as the rewards are, got {actual}.")
        seen, expected = self.observations.shape, f"({shape[0]},)" if self.are_texts else f"({shape[0]}, size)"
        if len(seen) != (1 if self.are_texts else 2) or seen[0] != shape[0]:
            raise ValueError(f"TrainingTable: observations must be of shape {expected}, got {seen}.")
        distances, n_llms = self.response_distances, shape[1]
        if distances is not None and distances.shape != (*shape, n_llms):
            raise ValueError(
                f"TrainingTable: response_distances must be of shape {(*shape, n_llms)}, got {distances.shape}."
            )
        if self.objectives is not None and self.objectives.shape != (*shape, N_OBJECTIVES):
            of_each = (*shape, N_OBJECTIVES)
            raise ValueError(f"TrainingTable: objectives must be of shape {of_each}, got {self.objectives.shape}.")
        if self.weights.shape != shape[:1] or not ((self.weights > 0) & np.isfinite(self.weights)).all():
            raise ValueError(f"TrainingTable: weights must be {shape[0]} positive numbers, got {self.weights}.")
        if self.prompts is not None and np.shape(self.prompts) != shape[:1]:
            raise ValueError(f"TrainingTable: prompts must be {shape[0]} numbers, got shape {np.shape(self.prompts)}.")

    def _require_finite(self, name: str, has_number: bool | BoolArray) -> None:
        """Refuse what is not finite where there must be a number, and a number where there must be none."""
        values = getattr(self, name)
        is_wrong = np.where(has_number, ~np.isfinite(values), ~np.isnan(values))
        if is_wrong.any():
            query, column = np.argwhere(is_wrong)[0].tolist()
            raise ValueError(
                f"TrainingTable: {name} must be finite, got {values[query, column]} in row {query}, column {column}; "
                "where a query was not asked of an LLM, rewards, accuracy, cost and latency are all NaN."
            )

    @cached_property
    def groups(self) -> IntArray:
        """A number for each query, the same for copies of one, shape (queries,)."""
        return copy_groups(self.observations, self.prompts)

    @property
    def has_cell(self) -> BoolArray:
        """Which queries were asked of which LLMs, shape (queries, LLMs)."""
        has_cell: BoolArray = ~(np.isnan(self.rewards) & np.isnan(self.accuracy))
        return has_cell

    def means(self, name: str) -> FloatArray:
        """Return an LLM's mean of "rewards", "accuracy", ... over the queries that it was asked, shape (LLMs,)."""
        counts = self.weights[:, None] * self.has_cell
        means: FloatArray = (np.where(self.has_cell, getattr(self, name), 0.0) * counts).sum(axis=0) / counts.sum(
            axis=0
        )
        return means

    @property
    def are_texts(self) -> bool:
        """Whether the observations are prompts."""
        return np.ndim(self.observations) == 1 and np.asarray(self.observations).dtype.kind in "OU"

    @property
    def observation_size(self) -> int:
        """Length of one observation vector; 0 for prompts."""
        return 0 if self.are_texts else self.observations.shape[1]

    def part(self, queries: Any = slice(None), llms: Any = slice(None)) -> TrainingTable:
        """Return some of the queries and LLMs, each as numpy indexes an axis."""
        measures = {name: getattr(self, name)[queries][:, llms] for name in _MEASURES}
        prompts, distances = None if self.prompts is None else self.prompts[queries], self.response_distances
        if distances is not None:
            distances = distances[queries][:, llms][:, :, llms]
        objectives = None if self.objectives is None else self.objectives[queries][:, llms]
        return TrainingTable(
            observations=self.observations[queries],
            weights=self.weights[queries],
            prompts=prompts,
            response_distances=distances,
            objectives=objectives,
            **measures,
        )
