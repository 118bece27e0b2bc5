"""Somebody who makes an LLM look better, or worse, than it is."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.scenarios.event import TOLD, LLMEvent, check_seed, number_within, with_told
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class PoisonedFeedback(LLMEvent):
    """An LLM's answers are said to score `value` with a probability, drawn once per query and repeat.

    Attributes:
        rate: From 0 to 1.
        value: 0 or 1.
        seed: Of the draw.
    """

    kind, rank = "poisoned_feedback", TOLD
    rate: float
    value: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Check rate, value and seed."""
        super().__post_init__()
        number_within("rate", self.rate, 0, 1)
        if isinstance(self.value, bool) or self.value not in (0, 1):
            raise ValueError(f"value must be 0 or 1, got {self.value!r:.60}")
        check_seed(self.seed)

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells of which some of the LLM's scores are told as the value."""
        scores = cells.as_told.accuracy
        is_poisoned = (rng.random(scores.shape) < self.rate) & ~np.isnan(scores)
        return with_told(cells, llms, np.where(is_poisoned, float(self.value), scores))
