"""Best of n: asks n LLMs and accepts the answer that fits the query best, by a reward model without labels.

ARMAP (Chen et al. 2025, arXiv 2502.12130, https://github.com/heaplax/ARMAP).
"""

from __future__ import annotations

from llm_routing_env.agents.parts.best_scored import BestScored
from llm_routing_env.agents.parts.task import RoutingTask


class BestOfN(BestScored):
    """Asks the n LLMs whose responses match their queries best, and accepts the answer that does.

    The score is `matching`: how probably a response is one to this query and not to another one, learned from pairs
    that need no label. What matches is not what is right: a wrong answer in the right form matches too.

    Kept of ARMAP: the reward model is trained on pairs made without labels, and ranks n samples. Ours: pairs are of
    responses to this and to other queries, where the paper has trajectories that an LLM spoils; the samples are LLMs,
    where the paper draws 100 of one; a bilinear model of embeddings in the place of a large vision-language model. Left
    out: planning, reflexion and tree search, for a query has no trajectory.
    """

    observation = "embedding+asks+matching"

    def __init__(
        self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None, n: int = 2
    ) -> None:
        """Start without an order.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            n: How many LLMs are asked; with 1 it asks the LLM of the highest mean score.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        is_count = isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= self._n_llms
        self._require(is_count, "n", f"from 1 to {self._n_llms}, the LLMs", n)
        self.n = n
        self._n_asks = n
