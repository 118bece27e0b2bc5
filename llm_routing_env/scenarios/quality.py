"""An LLM whose right answers turn wrong, and nobody says so."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.scenarios.event import LLMEvent, check_seed, number_within, with_llm
from llm_routing_env.tables.cells import Cells


@dataclass(frozen=True, kw_only=True)
class Quality(LLMEvent):
    """Each answer of an LLM scores 0 with a probability, drawn once per query and repeat: the same for every agent.

    Attributes:
        probability: From 0 to 1.
        seed: Of the draw.
    """

    kind = "quality"
    probability: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the probability."""
        super().__post_init__()
        number_within("probability", self.probability, 0, 1)
        check_seed(self.seed)

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells with some of the LLM's scores 0."""
        scores = cells.accuracy[:, llms]
        is_wrong = rng.random(scores.shape) < self.probability
        return with_llm(cells, llms, accuracy=np.where(is_wrong & ~np.isnan(scores), 0.0, scores))
