"""Which LLM a scenario means that is written for any table: the dearest, the best, and so on."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.tables.cells import Cells

Floats = NDArray[np.float64]
Worth = Callable[[Cells], Floats]


def _means(cells: Cells, name: str) -> Floats:
    """Return each LLM's mean over what is recorded of it, shape (LLMs,)."""
    values: Floats = getattr(cells, name)
    counts = (~np.isnan(values)).sum(axis=(0, 2))
    return np.asarray(np.nansum(values, axis=(0, 2)) / np.maximum(counts, 1))


ROLES: Mapping[str, Callable[[Cells], int]] = {
    "cheapest": lambda cells: int(np.argmin(_means(cells, "cost_usd"))),
    "dearest": lambda cells: int(np.argmax(_means(cells, "cost_usd"))),
    "fastest": lambda cells: int(np.argmin(_means(cells, "latency_s"))),
    "slowest": lambda cells: int(np.argmax(_means(cells, "latency_s"))),
    "best": lambda cells: int(np.argmax(_means(cells, "accuracy"))),
    "worst": lambda cells: int(np.argmin(_means(cells, "accuracy"))),
}


FAVOURITE = "favourite"  # whose mean reward is the highest


def find_llm(name: str, llm_names: Sequence[str], cells: Cells, worth: Worth) -> int:
    """Return which LLM is meant by its name, or by what it is over all queries of the table.

    Args:
        name: The LLM's, a role, or `FAVOURITE`.
        llm_names: In action order.
        cells: The table's.
        worth: Returns each LLM's mean reward.

    Raises:
        ValueError: There is none such.
    """
    if name in llm_names:
        return llm_names.index(name)
    if name == FAVOURITE:
        return int(np.argmax(worth(cells)))
    if name in ROLES:
        return ROLES[name](cells)
    raise unknown_name("LLM of a scenario", name, [*llm_names, *ROLES, FAVOURITE])
