"""Tier router: LLMs sorted by cost, and a classifier that guesses the cheapest one that is right.

Adaptive-RAG (Jeong et al. 2024, arXiv 2403.14403, https://github.com/starsuzi/Adaptive-RAG), whose tiers are ways to
retrieve; here they are LLMs.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.distributions import softmax
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.reward_lines import reward_lines
from llm_routing_env.agents.parts.softmax_regression import softmax_regression
from llm_routing_env.agents.parts.state import FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

DECISIONS, FALLBACKS = ("utility", "argmax"), ("cheapest", "most_accurate", "drop")
_RIGHT = 0.5  # the least accuracy that counts as right


class TierRouter(PretrainedAgent):
    """Asks the LLM that is worth most, if a query that a cheap LLM gets right is one that dearer ones get right too.

    A query's label is the first LLM, from the cheapest on, that was right. A softmax regression predicts it, and the
    probability that an LLM is right is that the label is the LLM or a cheaper one; what right and wrong answers of the
    LLM earn turns that into a reward. ``decide="argmax"`` asks the most probable label, as in the paper, which knows of
    no reward.

    The label is good: perfect labels close 82 to 100 % of the gap to the oracle on three tables. It cannot be predicted
    where LLMs are alike: on public tables this router is no better than the best single LLM, and mostly worse.
    The paper fine-tunes T5-large on its labels and on which data set a query is of; here a linear model sees the
    embedding, and the data set is not told. Number of retrieval steps and their F1 do not transfer.

    Attributes:
        order: The LLMs from the cheapest to the dearest, of one price the most accurate first, shape (arms,).
        weights: Of the softmax over labels, the last of which is that none was right; (1 + observation size, 1 + arms).
        lines: What no accuracy earns and what it adds, see `reward_lines`, shape (2, arms).
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        decide: str = "utility",
        fallback: str = "cheapest",
    ) -> None:
        """Start without weights.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            decide: "utility", or "argmax" as in the paper.
            fallback: With "argmax", the label of a query that no LLM got right: "cheapest", "most_accurate", or
                "drop": it has none and is left out. The paper takes what the data set mostly needs.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        if decide not in DECISIONS:
            raise unknown_name("decide of tier_router", decide, DECISIONS)
        if fallback not in FALLBACKS:
            raise unknown_name("fallback of tier_router", fallback, FALLBACKS)
        self.decide = decide
        self.fallback = fallback
        self.order = np.zeros(task.n_actions, dtype=np.int64)
        self.weights = np.zeros((1 + task.observation_size, 1 + task.n_actions))
        self.lines = np.zeros((2, task.n_actions))

    def _fit(self, training_table: TrainingTable) -> None:
        cost, accuracy = training_table.means("cost_usd"), training_table.means("accuracy")
        self._require(np.isfinite(cost).all(), "training_table.cost_usd", "recorded: tiers are sorted by it", np.nan)
        self.order = np.lexsort((-accuracy, cost))
        labels = tier_labels(training_table.accuracy, self.order)
        n_llms = len(cost)
        has_label = np.ones(len(labels), dtype=np.bool_)
        if self.decide == "argmax":
            fallbacks = {"cheapest": self.order[0], "most_accurate": accuracy.argmax(), "drop": n_llms}
            labels = np.where(labels == n_llms, fallbacks[self.fallback], labels)
            has_label = labels < n_llms
            self._require(has_label.any(), "training_table.accuracy", "at least 0.5 somewhere, to have a label", 0.0)
        targets = np.eye(n_llms + 1)[labels[has_label]]
        self.weights = softmax_regression(training_table.observations[has_label], targets)
        self.lines = reward_lines(training_table)

    def _scores(self, observation: FloatArray) -> FloatArray:
        labels = softmax(with_intercept(observation) @ self.weights)[:, :-1]
        if self.decide == "argmax":
            return labels
        is_right = np.empty_like(labels)
        is_right[:, self.order] = np.cumsum(labels[:, self.order], axis=1)
        at_zero, slopes = self.lines
        scores: FloatArray = at_zero + slopes * is_right
        return scores


def tier_labels(accuracy: FloatArray, order: IntArray) -> IntArray:
    """Return the first LLM in the order that got each query right; the number of LLMs where none did, shape (queries,).

    Args:
        accuracy: Shape (queries, LLMs); NaN where a query was not asked of an LLM, which then was not right.
        order: The LLMs from the cheapest on.
    """
    is_right = accuracy[:, order] >= _RIGHT
    labels: IntArray = np.where(is_right.any(axis=1), order[is_right.argmax(axis=1)], len(order))
    return labels
