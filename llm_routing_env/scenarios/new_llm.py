"""An LLM that comes in the course of a session."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.scenarios.event import LLMEvent, with_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class NewLLM(LLMEvent):
    """An LLM is masked before `step`."""

    kind = "new_llm"

    def __post_init__(self) -> None:
        """Check the steps."""
        super().__post_init__()
        if self.until is not None:
            raise ValueError("until has no meaning here: retired_llm takes an LLM away")

    def is_on(self, step: int) -> bool:
        """Return whether it is not there yet."""
        return step < self._first

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells with the LLM masked."""
        return with_llm(cells, llms, available=False)
