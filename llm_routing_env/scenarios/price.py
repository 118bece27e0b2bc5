"""A price that changes."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.scenarios.event import LLMEvent, known, number_within, with_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class Price(LLMEvent):
    """Every call of an LLM costs `factor` times what it did; 0: it is free."""

    kind = "price"
    factor: float

    def __post_init__(self) -> None:
        """Check the factor."""
        super().__post_init__()
        number_within("factor", self.factor, 0, 1e6)

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells with the LLM's costs multiplied."""
        return with_llm(cells, llms, cost_usd=known(cells, "cost_usd", llms) * self.factor)
