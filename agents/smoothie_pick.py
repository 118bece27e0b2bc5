"""Smoothie pick: asks several LLMs and accepts the answer that lies nearest to the others.

Smoothie (Guha et al. 2024, arXiv 2412.04692, https://github.com/HazyResearch/smoothie) at test time.
"""

from __future__ import annotations

from llm_routing_env.agents.parts.best_scored import BestScored
from llm_routing_env.agents.parts.consensus import FEWEST
from llm_routing_env.agents.parts.task import RoutingTask


class SmoothiePick(BestScored):
    """Asks all LLMs, or those that err least, and accepts the answer that errs least as far as answers alone can tell.

    How far an answer errs is estimated from how far it lies from the others that were given to the query; no label is
    used. On answers that are equal or not, it is the plurality vote.

    Kept of Smoothie: its estimate over one query, Smoothie-Local with one neighbour. Ours: with ``size`` only the LLMs
    are asked that err least on the training queries. Every answer is paid for, so this is for accuracy where there is
    no label; routing by `smoothie` asks one LLM.
    """

    observation = "embedding+asks+smoothie"

    def __init__(
        self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None, size: int | None = None
    ) -> None:
        """Start without an order.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            size: How many LLMs are asked, at least 3; None: all.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        least, most = FEWEST, self._n_llms
        self._require(most >= least, "task", f"one of {least} LLMs or more, to see who differs", most)
        is_count = isinstance(size, int) and not isinstance(size, bool) and least <= size <= most
        self._require(size is None or is_count, "size", f"None, or {least} to {most}", size)
        self.size = size
        self._n_asks = self._n_llms if size is None else size
