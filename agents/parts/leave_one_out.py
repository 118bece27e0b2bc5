"""Leave-one-out: what a router earns on its own training queries, each routed by what the others say."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.distributions import uniform_over_best
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.training import TrainingTable


def merit(scores: FloatArray, table: TrainingTable, rows: slice = slice(None)) -> float:
    """Return how well scores route the rows of a table, by what is known of those: more is better.

    It is their `routed_reward`: only the order of the LLMs matters. Where each query was asked of one LLM, as in a log,
    that says nothing, and it is minus their summed squared error.

    Args:
        scores: Shape (queries, LLMs); those of LLMs that were not asked need not be numbers.
        table: The table.
        rows: Those of it that the scores are of.
    """
    rewards, was_asked = table.rewards[rows], table.has_cell[rows]
    if (table.has_cell.sum(axis=1) > 1).any():
        return routed_reward(scores, rewards)
    errors = np.where(was_asked, scores, 0.0) - np.where(was_asked, rewards, 0.0)
    return -float((table.weights[rows, None] * np.square(errors)).sum())


def routed_reward(scores: FloatArray, rewards: FloatArray) -> float:
    """Return the summed reward of the LLM with the highest score, ties shared, among those that the query was asked of.

    Args:
        scores: Shape (queries, LLMs).
        rewards: Shape (queries, LLMs); NaN where a query was not asked of an LLM.
    """
    was_asked = ~np.isnan(rewards)
    rows = was_asked.any(axis=1)
    choices = uniform_over_best(scores[rows], was_asked[rows])
    return float((choices * np.where(was_asked, rewards, 0.0)[rows]).sum())
