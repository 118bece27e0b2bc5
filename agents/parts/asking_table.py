"""What agents that may ask several LLMs are fitted on: every LLM's answers on queries that no agent is judged on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from llm_routing_env.agents.parts.copies import copy_groups
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class AskingTable:
    """Full information about the training queries, repeat by repeat: a row is a query in one of its repeats.

    Attributes:
        observations: What is seen of each row's query, shape (rows, size).
        answers: Number of each LLM's answer, equal for the same answer to a query; below 0: none, or the call failed.
        accuracy: In [0, 1], 0 where the call failed.
        cost_usd: In US dollars.
        latency_s: In seconds.
        failed: Whether the call failed. All of these have the shape (rows, LLMs).
        weights: How much each row counts, shape (rows,): contexts count equally, and they add up to 1.
        lost_reward: What a query gets at most whose accepted answer failed.
        measures: Further measures of the answers by name, as `AskView` shows them once every LLM was asked.
        prompts: A number for each row, the same for the same prompt, shape (rows,); None: rows that look alike are
            taken for copies.
    """

    observations: FloatArray
    answers: IntArray
    accuracy: FloatArray
    cost_usd: FloatArray
    latency_s: FloatArray
    failed: BoolArray
    weights: FloatArray
    lost_reward: float
    measures: Mapping[str, FloatArray] = field(default_factory=dict)
    prompts: IntArray | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that disagree, and accuracies that are missing."""
        shape = self.answers.shape
        if len(shape) != 2 or not all(shape):
            raise ValueError(f"AskingTable: answers must be of shape (rows, LLMs), not empty, got {shape}.")
        named = {name: getattr(self, name) for name in ("accuracy", "cost_usd", "latency_s", "failed")}
        for name, values in (named | dict(self.measures)).items():
            if values.shape != shape:
                raise ValueError(
                    f"AskingTable: {name} must be of shape {shape}, as the answers are, got {values.shape}."
                )
        if self.observations.ndim != 2 or len(self.observations) != shape[0] or self.weights.shape != shape[:1]:
            raise ValueError(f"AskingTable: observations and weights must have {shape[0]} rows, as the answers have.")
        if np.isnan(self.accuracy).any():
            raise ValueError("AskingTable: every LLM's answer to every query must be known, got accuracy NaN.")

    @cached_property
    def groups(self) -> IntArray:
        """A number for each row, the same for copies of one query, shape (rows,)."""
        return copy_groups(self.observations, self.prompts)
