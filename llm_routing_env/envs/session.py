"""A session: what `reset` draws, all of it, before any action."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Session:
    """Everything random about a session; agents with equal seeds face equal sessions. Nothing is drawn again later.

    Attributes:
        queries: The queries in order, shape (steps,).
        repeats: Which recorded repeat answers at each step, shape (steps,).
        phases: The phase of each step, shape (steps,).
        cells: The cell of the first LLM at each step, see `Cells`; that of LLM a lies a further. Shape (steps,).
        available: Which LLMs can be asked at each step, shape (steps, LLMs); None: all, at every step.
    """

    queries: NDArray[np.int64]
    repeats: NDArray[np.int64]
    phases: NDArray[np.int64]
    cells: NDArray[np.int64]
    available: NDArray[np.bool_] | None

    def __len__(self) -> int:
        """Return the number of steps."""
        return len(self.queries)
