"""What exports for off-policy work need of a log."""

import numpy as np

from llm_routing_env.logs.check import name_of_row
from llm_routing_env.logs.exporting.observed import Observed


def require_weighable(seen: Observed) -> None:
    """Raise ValueError unless every row has a propensity, a reward and a vector."""
    log = seen.log
    log.require_propensities()
    unknown = np.isnan(log.reward)
    if unknown.any():
        raise ValueError(
            f"{name_of_row(log, unknown)} has no reward: {int(unknown.sum())} of {len(log)} rows have none."
        )
    if seen.vectors.ndim == 1:
        raise ValueError(f"The observation {seen.kind!r} is text: name one of numbers with --observation.")
