"""A scorer that errs: what agents are told is not what is true."""

from dataclasses import dataclass

import numpy as np

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.scenarios.event import TOLD, Event, check_seed, number_within, with_told
from llm_routing_env.tables.cells import Cells

BOTH, RIGHT_TO_WRONG, WRONG_TO_RIGHT = DIRECTIONS = ("both", "right_to_wrong", "wrong_to_right")


@dataclass(frozen=True, kw_only=True)
class NoisyScorer(Event):
    """Scores are turned round with a probability, drawn once per query, LLM and repeat: the same for every agent.

    A score s becomes 1 - s, in one direction only where that is lower, or higher.

    Attributes:
        rate: From 0 to 1.
        direction: One of `DIRECTIONS`.
        llm: Whose answers; None: of all LLMs.
        seed: Of the draw.
    """

    kind, rank = "noisy_scorer", TOLD
    rate: float
    direction: str = BOTH
    llm: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the rate, the direction, the LLM's type and the seed."""
        super().__post_init__()
        number_within("rate", self.rate, 0, 1)
        if self.direction not in DIRECTIONS:
            raise ValueError(str(unknown_name("direction", self.direction, DIRECTIONS)).rstrip("."))
        if self.llm is not None and not isinstance(self.llm, str):
            raise ValueError(f"llm must be a name, got {self.llm!r:.60}")
        check_seed(self.seed)

    def changed(self, cells: Cells, llms: int | slice, step: int, rng: np.random.Generator) -> Cells:
        """Return the cells of which some scores are told the other way round."""
        scores = cells.as_told.accuracy
        turned = 1 - scores
        if self.direction != BOTH:
            turned = (np.minimum if self.direction == RIGHT_TO_WRONG else np.maximum)(scores, turned)
        return with_told(cells, llms, np.where(rng.random(scores.shape) < self.rate, turned, scores))
