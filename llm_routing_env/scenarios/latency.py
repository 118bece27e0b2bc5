"""An LLM that becomes slower or faster, at once or gradually."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.scenarios.event import LAST_STEP, Event, number_within, with_llm
from llm_routing_env.tables.cells import Cells

STAGES = 10  # of a gradual change: each holds as many numbers as the table


@dataclass(frozen=True, kw_only=True)
class Latency(Event):
    """Every call of an LLM takes `factor` times as long.

    Attributes:
        factor: Above 0.
        over: How many steps it takes to get there, in `STAGES` stages of equal ratio; 0: at once.
    """

    kind = "latency"
    factor: float
    over: int = 0

    def __post_init__(self) -> None:
        """Check the factor and the time it takes."""
        super().__post_init__()
        number_within("factor", self.factor, 1e-6, 1e6)
        if not isinstance(self.over, int) or isinstance(self.over, bool) or not 0 <= self.over <= LAST_STEP:
            raise ValueError(f"over must be a whole number of steps, 0 or more, got {self.over!r:.60}")

    def starts(self) -> list[int]:
        """Return the steps at which a stage begins, and at which it is over."""
        return [*self._stages(), *super().starts()]

    def changed(self, cells: Cells, llm: int, step: int) -> Cells:
        """Return the cells with the LLM's latencies multiplied, by as much as has come about at the step."""
        stages = self._stages()
        share = sum(begin <= step for begin in stages) / len(stages)
        return with_llm(cells, llm, latency_s=cells.latency_s[:, llm] * self.factor**share)

    def _stages(self) -> list[int]:
        """Return where stages begin: the last after `over` steps, with the whole factor."""
        begins = np.linspace(0, self.over, min(STAGES, self.over + 1)).astype(int)
        return [self.step + int(begin) for begin in np.unique(begins)]
