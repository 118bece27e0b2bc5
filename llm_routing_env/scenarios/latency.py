"""An LLM that becomes slower or faster, at once or gradually."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.scenarios.event import GradualEvent, LLMEvent, known, number_within, with_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class Latency(LLMEvent, GradualEvent):
    """Every call of an LLM takes `factor` times as long; gradually in stages of equal ratio.

    Attributes:
        factor: Above 0.
    """

    kind = "latency"
    factor: float

    def __post_init__(self) -> None:
        """Check the factor."""
        super().__post_init__()
        number_within("factor", self.factor, 1e-6, 1e6)

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells with the LLM's latencies multiplied, by as much as has come about at the step."""
        latency_s = known(cells, "latency_s", llms) * self.factor ** self.share(step)
        return with_llm(cells, llms, latency_s=latency_s)
