"""What an agent knows before it starts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RoutingTask:
    """What an agent may know before it routes its first query.

    Attributes:
        n_actions: Number of LLMs (arms).
        observation_size: Length of one observation vector.
        llm_names: Names of the LLMs, in the order of the actions.
        expected_cost_usd: Expected cost of one query for each LLM, in US dollars.
        reward_bounds: Lowest and highest reward that can occur.
        reward_quantiles: 5 % and 95 % quantile of the training split's rewards; None: the bounds.
    """

    n_actions: int
    observation_size: int
    llm_names: tuple[str, ...]
    expected_cost_usd: tuple[float, ...]
    reward_bounds: tuple[float, float]
    reward_quantiles: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Refuse lengths that disagree and empty reward ranges."""
        if self.n_actions < 1:
            raise ValueError(f"RoutingTask: n_actions must be at least 1, got {self.n_actions}.")
        for name in ("llm_names", "expected_cost_usd"):
            if len(getattr(self, name)) != self.n_actions:
                raise ValueError(f"RoutingTask: {name} must have {self.n_actions} entries, got {getattr(self, name)}.")
        for name in ("reward_bounds", "reward_quantiles"):
            low, high = getattr(self, name) or (0.0, 1.0)
            if not -np.inf < low < high < np.inf:
                raise ValueError(f"RoutingTask: {name} must be finite and increasing, got ({low}, {high}).")
