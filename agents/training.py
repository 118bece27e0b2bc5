"""What pretrained agents are fitted on: every LLM's outcomes on queries that no agent is judged on."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from llm_routing_env.agents.state import FloatArray


@dataclass(frozen=True, eq=False)
class TrainingTable:
    """Full information about the training queries, each number the mean over a query's repeats.

    Attributes:
        observations: What an agent sees of each query, shape (queries, observation_size).
        rewards: Shape (queries, LLMs).
        accuracy: In [0, 1], shape (queries, LLMs).
        cost_usd: In US dollars, shape (queries, LLMs); all NaN where costs were not recorded.
        latency_s: In seconds, shape (queries, LLMs); all NaN where latencies were not recorded.
    """

    observations: FloatArray
    rewards: FloatArray
    accuracy: FloatArray
    cost_usd: FloatArray
    latency_s: FloatArray

    def __post_init__(self) -> None:
        """Refuse shapes that disagree and numbers that are not finite."""
        for field in fields(self):
            object.__setattr__(self, field.name, np.asarray(getattr(self, field.name), dtype=np.float64))
        shape = self.rewards.shape
        if len(shape) != 2 or not all(shape):
            raise ValueError(f"TrainingTable: rewards must be of shape (queries, LLMs), not empty, got {shape}.")
        for name in ("accuracy", "cost_usd", "latency_s"):
            actual = getattr(self, name).shape
            if actual != shape:
                raise ValueError(f"TrainingTable: {name} must be of shape {shape}, as the rewards are, got {actual}.")
        seen = self.observations.shape
        if len(seen) != 2 or seen[0] != shape[0]:
            raise ValueError(f"TrainingTable: observations must be of shape ({shape[0]}, size), got {seen}.")
        for field in fields(self):
            values = getattr(self, field.name)
            is_absent = field.name in ("cost_usd", "latency_s") and np.isnan(values).all()
            if not is_absent and not np.isfinite(values).all():
                query, column = np.argwhere(~np.isfinite(values))[0].tolist()
                raise ValueError(
                    f"TrainingTable: {field.name} must be finite, got {values[query, column]} in row {query}, "
                    f"column {column}."
                )
