"""Advantage-weighted router: stays near the router that wrote a log, and leans to what did better than expected.

ReAd (Zhang et al. 2024, arXiv 2405.14314) refines a planner by advantages that a critic learned from logs: what
advantage-weighted regression (Peng et al. 2019, arXiv 1910.00177) does to a policy. The symbols are the papers'.
"""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.linear_model import ridge_regression, with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.softmax_regression import softmax_regression
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.task import RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

ADVANTAGES = ("critic", "return")
CLIP = 20.0  # the most that a weight can be, the paper's
_RIDGE = 1.0


class AWRRouter(PretrainedAgent):
    """Asks the most probable LLM of a softmax that is fitted to exp(A / beta), where A is an LLM's advantage.

    One outcome per query is enough, so that it learns from logs. The critic predicts what each LLM earns, Q, and what
    the log's router earned, V, both linearly from the query; the advantage is A = Q - V of every LLM, asked or not.

    Ours: that critic. ``advantage="return"`` is the papers' form, A = reward - V of the LLM that was asked: there the
    softmax ends at mu exp(A / beta) for the log's own mu, and stays near it on purpose, which is safe and seldom good;
    ``divide_by_propensity`` takes mu out. What does not transfer of ReAd: advantages of several planners' joint plans,
    for there is one decision per query; asking again where the critic is not content is `re_propose`.

    Attributes:
        critic: Coefficients of Q, the intercepts as first row, shape (1 + observation size, arms).
        value: Those of V, shape (1 + observation size,).
        weights: Of the softmax, shape (1 + observation size, arms).
    """

    observation = "embedding"
    fits_logs = True

    def __init__(
        self,
        task: RoutingTask,
        *,
        n_sessions: int | None = None,
        seed: int | None = None,
        advantage: str = "critic",
        beta: float = 0.1,
        divide_by_propensity: bool = False,
    ) -> None:
        """Start without weights.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
            advantage: "critic": of all LLMs, as predicted; "return": of the one that was asked, as it came.
            beta: How much reward is as good as a factor of e in probability; the lower, the greedier.
            divide_by_propensity: Whether a row of the log counts 1 / propensity, up to 20 times the mean, which is a
                choice of "return" only: the critic's softmax is over all LLMs in any case.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        if advantage not in ADVANTAGES:
            raise unknown_name("advantage of awr_router", advantage, ADVANTAGES)
        self._require(0 < beta < np.inf, "beta", "positive and finite", beta)
        fits = not divide_by_propensity or advantage == "return"
        self._require(fits, "divide_by_propensity", 'False, or advantage "return"', divide_by_propensity)
        self.advantage = advantage
        self.beta = beta
        self.divide_by_propensity = divide_by_propensity
        self.critic = np.zeros((1 + task.observation_size, task.n_actions))
        self.value = np.zeros(1 + task.observation_size)
        self.weights = np.zeros((1 + task.observation_size, task.n_actions))

    def _fit(self, training_table: TrainingTable) -> None:
        seen, rewards = training_table.observations, training_table.rewards
        rows = training_table.has_cell.any(axis=1)
        got = np.nanmean(rewards[rows], axis=1, keepdims=True)
        self.value = ridge_regression(seen[rows], got, _RIDGE)[:, 0]
        self.critic = ridge_regression(seen, rewards, _RIDGE, training_table.weights)
        value = (with_intercept(seen) @ self.value)[:, None]
        if self.advantage == "critic":
            raised = self._raised(with_intercept(seen) @ self.critic - value)
            counts = np.ones(len(seen))
        else:
            raised = np.where(training_table.has_cell, self._raised(np.nan_to_num(rewards) - value), 0.0)
            counts = raised.sum(axis=1)
            if self.divide_by_propensity:
                counts *= np.minimum(training_table.weights, CLIP)
        rows &= counts > 0  # what is far below the value may count nothing in floating point
        targets = raised[rows] / raised[rows].sum(axis=1, keepdims=True)
        self.weights = softmax_regression(seen[rows], targets, weights=counts[rows])

    def _raised(self, advantages: FloatArray) -> FloatArray:
        return advantage_weights(advantages, self.beta)

    def _scores(self, observation: FloatArray) -> FloatArray:
        scores: FloatArray = with_intercept(observation) @ self.weights
        return scores


def advantage_weights(advantages: FloatArray, beta: float, clip: float = CLIP) -> FloatArray:
    """Return exp(A / beta), at most the clip; times the probabilities of who chose, and normalised, the new policy's.

    Args:
        advantages: A, of any shape.
        beta: See `AWRRouter`.
        clip: The most.
    """
    weights: FloatArray = np.exp(np.minimum(advantages / beta, np.log(clip)))
    return weights
