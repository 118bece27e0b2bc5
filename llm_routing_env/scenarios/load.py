"""LLMs that others keep busy too."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.pools.load_curve import load_curves
from llm_routing_env.scenarios.event import GradualEvent, number_within, with_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class Load(GradualEvent):
    """Every LLM has so many requests at once, and is as slow as its load curve says; what fails is as late as before.

    Attributes:
        in_flight: 1 or more; the latencies of a table are those of 1. Gradually it rises from 1 in equal stages.
    """

    kind = "load"
    in_flight: float

    def __post_init__(self) -> None:
        """Check the load."""
        super().__post_init__()
        number_within("in_flight", self.in_flight, 1, 1e6)

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells with every latency multiplied, by as much as has come about at the step."""
        in_flight = 1 + (self.in_flight - 1) * self.share(step)
        slowdowns = np.array([float(curve.slowdown(in_flight)) for curve in load_curves(cells.tables[0])])
        return with_llm(cells, llms, latency_s=cells.latency_s * np.where(cells.failed, 1.0, slowdowns[:, None]))
