"""An LLM that cannot be reached, said before it is asked or found out by asking."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.scenarios.event import LLMEvent, with_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class Outage(LLMEvent):
    """An LLM does not answer.

    Attributes:
        hidden: Whether it can be asked all the same, and every call fails, at no cost and after the usual time; else it
            is masked.
    """

    kind = "outage"
    hidden: bool = False

    def __post_init__(self) -> None:
        """Check the flag."""
        super().__post_init__()
        if not isinstance(self.hidden, bool):
            raise ValueError(f"hidden must be true or false, got {self.hidden!r}")

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells with the LLM masked, or its calls failed."""
        if not self.hidden:
            return with_llm(cells, llms, available=False)
        cost_usd = np.where(np.isnan(cells.cost_usd[:, llms]), np.nan, 0.0)  # what is not recorded stays so
        accuracy = np.where(np.isnan(cells.accuracy[:, llms]), np.nan, 0.0)
        return with_llm(cells, llms, failed=True, accuracy=accuracy, cost_usd=cost_usd, completion_tokens=0)
