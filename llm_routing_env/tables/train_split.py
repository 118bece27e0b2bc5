"""The queries that agents may learn from before they are judged."""

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.tables.table import OutcomeTable


def train_split(table: OutcomeTable, otherwise: str) -> NDArray[np.int64]:
    """Return the queries of the train split, as rising indices.

    Args:
        table: The outcome table.
        otherwise: What cannot be where there are none.

    Raises:
        ValueError: There are none.
    """
    train = table.select(None, "train")
    if not len(train):
        raise ValueError(f"The table {table.name} has no train split: {otherwise}.")
    return train
