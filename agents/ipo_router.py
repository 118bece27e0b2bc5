"""IPO router: learns from pairs of LLMs of which one did better on a query.

LeReT (Hsu et al. 2024, arXiv 2410.23214, https://github.com/sher222/LeReT) tries several prompts per question, scores
them, and optimises the choice by identity preference optimisation (Azar et al. 2023, arXiv 2310.12036). Here several
LLMs are tried per query. The symbols in the comments are the papers'.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.adam import adam
from llm_routing_env.agents.parts.linear_model import with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.softmax_regression import decay, softmax_regression
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable
from llm_routing_env.agents.parts.whole import is_whole

WEIGHTINGS = ("gap", "equal")
_STEPS, _SFT_STEPS, _LEARNING_RATE = 300, 200, 0.1
_DIGITS = 9  # rewards that agree in them are one level


class IPORouter(PretrainedAgent):
    """Asks the most probable LLM of a softmax that is trained on which of two LLMs earned more.

    The loss of a pair is (h - 1/(2 beta))^2, where h is how much the softmax prefers the winner over the loser, beyond
    what the reference does. Ties make no pair.

    Ours: all pairs of a query count, each by how much its rewards differ, and the reference is uniform.
    ``weighting="equal"`` is the paper's rule: pairs of neighbouring levels of reward, and a reference that is trained
    on the best LLM of each query first. It keeps the order of the LLMs and loses how much lies between them, and routes
    public tables worse than the best single LLM. What does not transfer: there is one decision per query, where LeReT
    retrieves in several hops and samples the next by its score.

    Attributes:
        weights: Of the softmax, intercepts first, shape (1 + observation size, arms).
        training_cost_usd: What the tries cost in all, in US dollars, shape (); NaN where costs were not recorded.
    """

    observation = "embedding"

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        n_tried: int | None = None,
        weighting: str = "gap",
        beta: float = 0.02,
    ) -> None:
        """Start without weights.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`; also of which LLMs are tried.
            n_tried: How many LLMs are tried, and paid for, on each training query, drawn at random. None: all.
            weighting: "gap": all pairs, by their difference in reward; "equal": neighbours alike, as in the paper.
            beta: How near the softmax stays to its reference; 0.05 in the paper.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        if weighting not in WEIGHTINGS:
            raise unknown_name("weighting of ipo_router", weighting, WEIGHTINGS)
        least, most = min(2, task.n_actions), task.n_actions
        is_number = n_tried is None or (is_whole(n_tried, least) and n_tried <= most)
        self._require(is_number, "n_tried", f"None, or from {least} to {most}, the LLMs", n_tried)
        self._require(0 < beta < np.inf, "beta", "positive and finite", beta)
        self.n_tried = n_tried
        self.weighting = weighting
        self.beta = beta
        self.weights = np.zeros((1 + task.observation_size, task.n_actions))
        self.training_cost_usd = np.zeros(())

    def _fit(self, training_table: TrainingTable) -> None:
        rewards = np.where(self._tried(training_table.has_cell), training_table.rewards, np.nan)
        self.training_cost_usd = np.array(training_table.cost_usd[~np.isnan(rewards)].sum())
        inputs = with_intercept(training_table.observations)
        reference = np.zeros((inputs.shape[1], rewards.shape[1]))
        if self.weighting == "equal":
            best = np.nan_to_num(rewards, nan=-np.inf) == np.nanmax(rewards, axis=1, keepdims=True, initial=-np.inf)
            targets = best / best.sum(axis=1, keepdims=True)
            reference = softmax_regression(training_table.observations, targets, _SFT_STEPS)
        query, winner, loser = all_pairs(rewards) if self.weighting == "gap" else neighbouring_pairs(rewards)
        gaps = rewards[query, winner] - rewards[query, loser]
        share = np.full(len(gaps), 1.0) if self.weighting == "equal" else gaps
        self.weights = _preferred(
            inputs, (query, winner, loser), share / max(share.sum(), 1e-300), reference, self.beta
        )

    def _tried(self, was_asked: BoolArray) -> BoolArray:
        """Return which LLMs are tried on which queries, shape (queries, LLMs)."""
        if self.n_tried is None:
            return was_asked
        order = np.where(was_asked, self._common_rng.random(was_asked.shape), np.inf)
        chosen: BoolArray = was_asked & (order.argsort(axis=1).argsort(axis=1) < self.n_tried)
        return chosen

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = with_intercept(observation) @ self.weights
        return scores


def all_pairs(rewards: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return query, winner and loser of each pair of LLMs that differ in reward, see `neighbouring_pairs`."""
    levels = np.round(rewards, _DIGITS)
    query, winner, loser = np.nonzero(levels[:, :, None] > levels[:, None, :])
    return query, winner, loser


def neighbouring_pairs(rewards: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return query, winner and loser of each pair of LLMs that are neighbouring levels of reward on a query.

    Args:
        rewards: Shape (queries, LLMs); NaN where an LLM was not tried.
    """
    rounded = np.round(rewards, _DIGITS)
    # The highest level below each LLM's own; -inf for those of the lowest.
    lower = np.where(rounded[:, None, :] < rounded[:, :, None], rounded[:, None, :], -np.inf).max(axis=2)
    query, winner, loser = np.nonzero(rounded[:, None, :] == lower[:, :, None])
    return query, winner, loser


def _preferred(
    inputs: FloatArray,
    pairs: tuple[IntArray, IntArray, IntArray],
    share: FloatArray,
    reference: FloatArray,
    beta: float,
) -> FloatArray:
    """Return the weights with the least sum of share x (h - 1/(2 beta))^2 over the pairs; reference: theirs before."""
    query, winner, loser = pairs
    signed = np.concatenate([query, query]), np.concatenate([winner, loser])
    weights, referred = reference.copy(), inputs @ reference

    def gradient(theta: FloatArray) -> tuple[FloatArray]:
        ahead = inputs @ theta - referred  # the logarithm of pi / pi_ref, up to what cancels in h
        error = 2 * share * (ahead[query, winner] - ahead[query, loser] - 1 / (2 * beta))
        by_logit = np.zeros_like(ahead)
        np.add.at(by_logit, signed, np.concatenate([error, -error]))
        return (inputs.T @ by_logit + decay(theta),)

    adam([weights], gradient, n_steps=_STEPS, learning_rate=_LEARNING_RATE)
    return weights
