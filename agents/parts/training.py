"""What pretrained agents are fitted on: every LLM's outcomes on queries that no agent is judged on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.state import FloatArray


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """Full information about the training queries, each number the mean over a query's repeats.

    Attributes:
        observations: What an agent sees of each query, shape (queries, observation_size); (queries,) for prompts.
        rewards: Shape (queries, LLMs).
        accuracy: In [0, 1], shape (queries, LLMs).
        cost_usd: In US dollars, shape (queries, LLMs); all NaN where costs were not recorded.
        latency_s: In seconds, shape (queries, LLMs); all NaN where latencies were not recorded.
    """

    observations: NDArray[Any]
    rewards: FloatArray
    accuracy: FloatArray
    cost_usd: FloatArray
    latency_s: FloatArray

    def __post_init__(self) -> None:
        """Refuse shapes that disagree and numbers that are not finite."""
        are_texts = self.are_texts
        for field in fields(self):
            kind = np.object_ if are_texts and field.name == "observations" else np.float64
            object.__setattr__(self, field.name, np.asarray(getattr(self, field.name), dtype=kind))
        shape = self.rewards.shape
        if len(shape) != 2 or not all(shape):
            raise ValueError(f"TrainingTable: rewards must be of shape (queries, LLMs), not empty, got {shape}.")
        for name in ("accuracy", "cost_usd", "latency_s"):
            actual = getattr(self, name).shape
            if actual != shape:
                raise ValueError(f"TrainingTable: {name} must be of shape {shape}, as the rewards are, got {actual}.")
        seen, expected = self.observations.shape, f"({shape[0]},)" if are_texts else f"({shape[0]}, size)"
        if len(seen) != (1 if are_texts else 2) or seen[0] != shape[0]:
            raise ValueError(f"TrainingTable: observations must be of shape {expected}, got {seen}.")
        for name in [field.name for field in fields(self) if not (are_texts and field.name == "observations")]:
            values = getattr(self, name)
            is_absent = name in ("cost_usd", "latency_s") and np.isnan(values).all()
            if not is_absent and not np.isfinite(values).all():
                query, column = np.argwhere(~np.isfinite(values))[0].tolist()
                raise ValueError(
                    f"TrainingTable: {name} must be finite, got {values[query, column]} in row {query}, "
                    f"column {column}."
                )

    @property
    def are_texts(self) -> bool:
        """Whether the observations are prompts."""
        return np.ndim(self.observations) == 1 and np.asarray(self.observations).dtype.kind in "OU"

    @property
    def observation_size(self) -> int:
        """Length of one observation vector; 0 for prompts."""
        return 0 if self.are_texts else self.observations.shape[1]
