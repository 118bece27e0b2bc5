"""What happened to a router earlier: bandit feedback, with the probability of each choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.session_array import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.training import TrainingTable

_MEASURES = ("accuracy", "cost_usd", "latency_s")


@dataclass(frozen=True, eq=False)
class LoggedData:
    """Bandit feedback in the order in which it came, one row per choice; of each query one LLM's answer is known.

    Attributes:
        observations: What an agent sees of each query, shape (rows, observation size); (rows,) for prompts.
        actions: The LLM that was asked, shape (rows,).
        rewards: Its reward, shape (rows,).
        propensities: The probability with which it was chosen, above 0 and at most 1, shape (rows,).
        masks: Which LLMs could be asked, shape (rows, LLMs); None: all, at all times.
        outcomes: accuracy in [0, 1], cost_usd in US dollars and latency_s in seconds, as far as they are known, each of
            shape (rows,).
        sessions: The session of each row, shape (rows,); those of a session stand together.
        steps: The step in its session, shape (rows,).
        prompts: A number for each row, the same for the same prompt, shape (rows,); see `TrainingTable`.
    """

    observations: NDArray[Any]
    actions: IntArray
    rewards: FloatArray
    propensities: FloatArray
    masks: BoolArray | None = None
    outcomes: Mapping[str, FloatArray] = field(default_factory=dict)
    sessions: IntArray | None = None
    steps: IntArray | None = None
    prompts: IntArray | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that disagree, and numbers that cannot be."""
        n_rows = len(self)
        given: dict[str, NDArray[Any] | None] = {
            "observations": self.observations,
            "rewards": self.rewards,
            "propensities": self.propensities,
        }
        given |= {f"outcomes[{name!r}]": values for name, values in self.outcomes.items()}
        given |= {"sessions": self.sessions, "steps": self.steps, "masks": self.masks, "prompts": self.prompts}
        for name, values in given.items():
            if values is not None and len(values) != n_rows:
                raise ValueError(f"LoggedData: {name} must have {n_rows} rows, as actions have, got {len(values)}.")
        self._refuse("rewards", "finite", self.rewards, ~np.isfinite(self.rewards))
        is_chance = (self.propensities > 0) & (self.propensities <= 1)  # NaN is none
        self._refuse("propensities", "above 0 and at most 1", self.propensities, ~is_chance)
        self._refuse("actions", "LLMs, counted from 0", self.actions, self.actions < 0)
        if self.masks is not None:
            asked = np.minimum(self.actions, self.masks.shape[1] - 1)
            is_wrong = (asked != self.actions) | ~self.masks[np.arange(n_rows), asked].astype(bool)
            self._refuse("actions", "allowed by their masks", self.actions, is_wrong)

    def _refuse(self, name: str, expected: str, values: NDArray[Any], is_wrong: BoolArray) -> None:
        if is_wrong.any():
            row = int(is_wrong.argmax())
            raise ValueError(f"LoggedData: {name} must be {expected}, got {values[row]} in row {row}.")

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.actions)

    @property
    def begins(self) -> BoolArray:
        """Whether a session begins with a row, shape (rows,)."""
        sessions = np.zeros(len(self)) if self.sessions is None else self.sessions
        begins: BoolArray = np.append(True, sessions[1:] != sessions[:-1])[: len(self)]
        return begins

    def table(self, n_llms: int) -> TrainingTable:
        """Return a training table that has one LLM's outcome in each row, of a weight of 1 / propensity.

        So weighted, the rows in which an LLM was asked stand for all of them, whoever chose (Horvitz and Thompson
        1952). The weights are scaled to a mean of 1, so that penalties mean what they do without.

        Args:
            n_llms: Number of LLMs.

        Raises:
            ValueError: If an LLM was never asked, there is none with so high a number, or accuracies are not known.
        """
        if "accuracy" not in self.outcomes:
            raise ValueError("LoggedData: outcomes must have the accuracy of each row for a router to be fitted on it.")
        self._refuse("actions", f"from 0 to {n_llms - 1}", self.actions, self.actions >= n_llms)
        known = {"rewards": self.rewards, **self.outcomes}
        filled = {name: np.full((len(self), n_llms), np.nan) for name in ("rewards", *_MEASURES)}
        for name in filled.keys() & known.keys():
            filled[name][np.arange(len(self)), self.actions] = known[name]
        weights = 1 / self.propensities
        return TrainingTable(self.observations, **filled, weights=weights / weights.mean(), prompts=self.prompts)
