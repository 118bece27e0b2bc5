"""Smoothie: trusts the LLM whose responses lie nearest to the others', and needs no label.

Guha et al. 2024, "Smoothie: Label Free Language Model Routing", arXiv 2412.04692,
https://github.com/HazyResearch/smoothie.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.knn_bandit import unit_rows
from llm_routing_env.agents.parts.consensus import FEWEST, estimated_errors
from llm_routing_env.agents.parts.neighbours import neighbour_means
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

N_NEIGHBOURS = 20
_NEVER = 100.0  # far more than estimates differ by
_NO_ANSWER = 2.0  # errs as much as a text that has nothing to do with the truth, whose cosine is 0


class Smoothie(PretrainedAgent):
    """Asks the LLM that errs least on the most similar training queries, as far as responses alone can tell.

    How far an LLM errs is estimated from how far its responses lie from the other LLMs', see `estimated_errors`; its
    mean cost is added with a weight. Neither reward nor accuracy is looked at: it does not know the task's reward, and
    pays for the training queries' responses only.

    This is the paper's Smoothie-Train in its local form: logged responses, and no LLM but the chosen one is asked. With
    ``observation="context"`` the neighbours are the queries of the same context; with as many neighbours as training
    queries it is the global form. Ours: a small embedding model; the price term; the estimate in closed form, which is
    never divided by. It fails where LLMs err alike, for of two that make the same mistakes each vouches for the other,
    and where a response says too little to be compared, such as a letter.

    Attributes:
        queries: Training queries scaled to length 1, shape (queries, observation size).
        errors: Estimated squared error of each LLM's response, shape (queries, arms); NaN where nothing is known.
        weights: How much each query counts, shape (queries,).
        prices: Weighted mean cost of each LLM, in that of the dearest, shape (arms,).
    """

    observation = "embedding"
    needs_responses = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        n_neighbours: int | None = None,
        cost_weight: float = 0.25,
    ) -> None:
        """Start without queries.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            n_neighbours: Training queries to average; 1 in the paper. None: 20, all if there are fewer. Without labels
                nothing can choose it.
            cost_weight: What the mean cost of the dearest LLM counts beside a squared distance; 0 in the paper.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._require(
            task.n_actions >= FEWEST, "task", f"one of {FEWEST} LLMs or more, to see who differs", task.n_actions
        )
        self._require_count("n_neighbours", n_neighbours, is_optional=True)
        self._require(0 <= cost_weight < np.inf, "cost_weight", "finite and at least 0", cost_weight)
        self.n_neighbours = n_neighbours
        self.cost_weight = cost_weight
        self.queries = np.zeros((0, task.observation_size))
        self.errors = np.zeros((0, task.n_actions))
        self.weights = np.zeros(0)
        self.prices = np.zeros(task.n_actions)

    def _fit(self, training_table: TrainingTable) -> None:
        table, n_queries = training_table, len(training_table.rewards)
        is_number = self.n_neighbours is None or self.n_neighbours <= n_queries
        self._require(is_number, "n_neighbours", f"at most {n_queries}, the training queries", self.n_neighbours)
        self._require(table.response_distances is not None, "training_table", "with response_distances", None)
        assert table.response_distances is not None
        self.queries, self.weights = unit_rows(table.observations), table.weights
        gave_none = np.isnan(np.diagonal(table.response_distances, axis1=1, axis2=2))
        errors = estimated_errors(table.response_distances)
        self.errors = np.where(gave_none & table.has_cell, _NO_ANSWER, errors)
        never_answers, is_unknown = gave_none.all(axis=0), np.isnan(errors).all(axis=0)
        can_tell = bool((is_unknown <= never_answers).all() and not is_unknown.all())
        lacking = self.task.llm_names[int(is_unknown.argmax())]
        self._require(can_tell, "response_distances", f"of each LLM that answers beside {FEWEST - 1} others", lacking)
        prices = self._prices(table)
        self.prices = np.where(never_answers, _NEVER + 2 * prices.max(), prices)

    def _prices(self, table: TrainingTable) -> FloatArray:
        if not self.cost_weight:
            return np.zeros(self.task.n_actions)
        cost = table.means("cost_usd")
        self._require(np.isfinite(cost).all(), "training_table.cost_usd", "recorded, or cost_weight 0", np.nan)
        prices: FloatArray = self.cost_weight * cost / max(cost.max(), np.finfo(float).tiny)
        return prices

    def _scores(self, observation: FloatArray) -> FloatArray:
        similarity = unit_rows(observation) @ self.queries.T
        (errors,) = neighbour_means(similarity, self.errors, self.weights, [self.n_neighbours or N_NEIGHBOURS])
        return -errors - self.prices
