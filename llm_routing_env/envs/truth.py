"""What is expected of every LLM, and who is best: per context and per query."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.reward_table import RewardTable, best_of_known

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Truth:
    """What no agent sees. A row is a query in a phase, see `Cells`.

    Attributes:
        context_means: Each LLM's expected reward in the query's context and phase, shape (rows, LLMs).
        optimal_actions: The best of them that can be asked, shape (rows,).
        regrets: How much less each LLM's expected reward is than that one's, shape (rows, LLMs).
        oracle_regrets: How much less each LLM gets for the query than the best one for it, shape (rows, LLMs).
    """

    def __init__(self, rewards: RewardTable, available: Mask, contexts: Sequence[Ints], n_queries: int) -> None:
        """Look everything up.

        Args:
            rewards: Of every row; NaN where nothing is known.
            available: Whether an LLM can be asked, shape (rows, LLMs).
            contexts: The queries of each context.
            n_queries: Queries of a phase.
        """
        self.context_means = np.full(available.shape, np.nan)
        for first in range(0, len(available), n_queries):
            for queries in contexts:
                self.context_means[first + queries] = rewards.expected(first + queries)
        self.optimal_actions = best_of_known(self.context_means, available)
        best = np.take_along_axis(self.context_means, self.optimal_actions[:, None], axis=1)
        self.regrets = best - self.context_means
        best_for_query = best_of_known(rewards.query_means, available)[:, None]
        self.oracle_regrets = np.take_along_axis(rewards.query_means, best_for_query, axis=1) - rewards.query_means

    def of(self, row: int, llm: int) -> dict[str, float | int]:
        """Return regret, oracle_regret and optimal_action of sending a row's query to an LLM."""
        return {
            "regret": self.regrets.item(row, llm),
            "oracle_regret": self.oracle_regrets.item(row, llm),
            "optimal_action": self.optimal_actions.item(row),
        }

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The same of every row and LLM, each of a shape that broadcasts to (rows, LLMs)."""
        return {
            "regret": self.regrets,
            "oracle_regret": self.oracle_regrets,
            "optimal_action": self.optimal_actions[:, None],
        }
