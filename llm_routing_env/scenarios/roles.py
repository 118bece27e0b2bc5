"""Which LLM a scenario means that is written for any table: the dearest, the best, and so on."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.rewards.reward_table import best_of_known, mean_of_known
from llm_routing_env.tables.cells import Cells

Floats = NDArray[np.float64]
Worth = Callable[[Cells], Floats]


# Whose mean of a measure is the highest, or with -1 the lowest.
ROLES: Mapping[str, tuple[str, int]] = {
    "cheapest": ("cost_usd", -1),
    "dearest": ("cost_usd", 1),
    "fastest": ("latency_s", -1),
    "slowest": ("latency_s", 1),
    "best": ("accuracy", 1),
    "worst": ("accuracy", -1),
}
FAVOURITE = "favourite"  # whose mean reward is the highest


def find_llm(name: str, llm_names: Sequence[str], cells: Cells, worth: Worth) -> int:
    """Return which LLM is meant by its name, or by what it is over all queries of the table.

    Args:
        name: The LLM's, a role, or `FAVOURITE`.
        llm_names: In action order.
        cells: The table's.
        worth: Returns each LLM's mean reward; what is not known of an LLM makes it none of these.

    Raises:
        ValueError: There is none such, or the table cannot tell.
    """
    if name in llm_names:
        return llm_names.index(name)
    if name == FAVOURITE:
        return int(best_of_known(worth(cells)))
    if name in ROLES:
        measure, sign = ROLES[name]
        means = mean_of_known(getattr(cells, measure), (0, 2))
        if np.isnan(means).all():
            raise ValueError(f"No LLM is the {name}: the table has no {measure}.")
        return int(best_of_known(sign * means))
    raise unknown_name("LLM of a scenario", name, [*llm_names, *ROLES, FAVOURITE])
