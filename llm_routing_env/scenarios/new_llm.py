"""An LLM that comes in the course of a session."""

from dataclasses import dataclass

from llm_routing_env.scenarios.event import Event, with_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class NewLLM(Event):
    """An LLM is masked before `step`."""

    kind = "new_llm"

    def __post_init__(self) -> None:
        """Check the steps."""
        super().__post_init__()
        if self.until is not None:
            raise ValueError("until has no meaning here: retired_llm takes an LLM away")

    def starts(self) -> list[int]:
        """Return the first step, which is without it, and the step at which it comes."""
        return [0, self.step]

    def is_on(self, step: int) -> bool:
        """Return whether it is not there yet."""
        return step < self.step

    def changed(self, cells: Cells, llm: int, step: int) -> Cells:
        """Return the cells with the LLM masked."""
        return with_llm(cells, llm, available=False)
