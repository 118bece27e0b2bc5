"""Which LLM a scenario means that is written for any table: the dearest, the best, and so on."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.tables.cells import Cells

Floats = NDArray[np.float64]


def _means(cells: Cells, name: str) -> Floats:
    """Return each LLM's mean over what is recorded of it, shape (LLMs,)."""
    values: Floats = getattr(cells, name)
    counts = (~np.isnan(values)).sum(axis=(0, 2))
    return np.asarray(np.nansum(values, axis=(0, 2)) / np.maximum(counts, 1))


def _worth(cells: Cells) -> Floats:
    """Return accuracy less half the cost in units of the dearest LLM's: what the default weights make of both."""
    cost = _means(cells, "cost_usd")
    return np.asarray(_means(cells, "accuracy") - 0.5 * cost / (cost.max() or 1.0))


ROLES: Mapping[str, Callable[[Cells], int]] = {
    "cheapest": lambda cells: int(np.argmin(_means(cells, "cost_usd"))),
    "dearest": lambda cells: int(np.argmax(_means(cells, "cost_usd"))),
    "fastest": lambda cells: int(np.argmin(_means(cells, "latency_s"))),
    "slowest": lambda cells: int(np.argmax(_means(cells, "latency_s"))),
    "best": lambda cells: int(np.argmax(_means(cells, "accuracy"))),
    "favourite": lambda cells: int(np.argmax(_worth(cells))),
    "worst": lambda cells: int(np.argmin(_means(cells, "accuracy"))),
}


def find_llm(name: str, llm_names: Sequence[str], cells: Cells) -> int:
    """Return which LLM is meant by its name, or by what it is over all queries of the table.

    Raises:
        ValueError: There is none such.
    """
    if name in llm_names:
        return llm_names.index(name)
    if name in ROLES:
        return ROLES[name](cells)
    raise unknown_name("LLM of a scenario", name, [*llm_names, *ROLES])
