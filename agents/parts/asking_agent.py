"""What agents of `PickLLM-Multi-v0` that are fitted before they ask have in common."""

from __future__ import annotations

import numpy as np

from llm_routing_env.agents.parts.ask_view import AskView, seen_of_asks, size_of_asks
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.leave_one_out import twin_groups
from llm_routing_env.agents.parts.linear_model import predictions_left_out, ridge_regression, with_intercept
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask

RIDGES = tuple(10.0**exponent for exponent in range(3, -3, -1))


class AskingAgent(PretrainedAgent):
    """A policy that is fitted once on full information: which LLM to ask next, or which answer to accept.

    All that it needs of a query's asks is in the observation, so it holds nothing between steps. A subclass gives
    `_fit` and `_ask`, and its `observation` names the measures of answers that it goes by. Where an action is masked,
    the vote is accepted instead, or the first LLM that can be is asked.

    Attributes:
        coefficients: Of each LLM's accuracy, the intercepts as first row, shape (1 + query's size, LLMs).
    """

    environment = "PickLLM-Multi-v0"
    observation = "embedding+asks"

    def __init__(self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None) -> None:
        """Start without a model.

        Args:
            task: See `Agent`; its actions are the LLMs and to accept the vote.
            n_sessions: See `Agent`.
            seed: See `Agent`.

        Raises:
            ValueError: The task is of another environment.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self._n_llms = len(task.llm_names)
        is_asking = task.n_actions == self._n_llms + 1
        self._require(
            is_asking, "task", f"one of {self.environment}, an action for each LLM and one more", task.n_actions
        )
        self._measures = seen_of_asks(type(self).observation)[1]
        shown = self._measures if task.observation is None else seen_of_asks(task.observation)[1]
        self._require(shown == self._measures, "task", f"one that shows the measures {self._measures}", shown)
        size = task.observation_size - size_of_asks(self._n_llms, len(self._measures))
        self._require(size > 0, "task.observation_size", "that of a query and its asks", task.observation_size)
        self.coefficients = np.zeros((1 + size, self._n_llms))

    def fit(self, training_table: AskingTable) -> None:  # type: ignore[override]  # answers, which no router needs
        """Fit the model, from scratch if there was one.

        Args:
            training_table: Every LLM's answers on the train split, see `asking_table`.

        Raises:
            ValueError: If the table has another number of LLMs, or observations of another size.
        """
        expected = (len(self.coefficients) - 1, self._n_llms)
        found = (training_table.observations.shape[1], training_table.answers.shape[1])
        self._require(found == expected, "training_table", f"of (observation size, LLMs) {expected}", found)
        for measure in self._measures:
            has_it = measure in training_table.measures
            self._require(has_it, "training_table.measures", f"with {measure!r}", sorted(training_table.measures))
        self._require(self.task.reward is not None, "task.reward", "known: asks are weighed by it", None)
        self._fit(training_table)  # type: ignore[arg-type]
        self.is_fitted = np.ones((), dtype=np.bool_)

    def _ask(self, view: AskView) -> IntArray:
        """Return an action per session."""
        raise NotImplementedError

    def _route(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        actions = self._ask(AskView(observation, self._n_llms, self._measures))
        if allowed is not None:
            rows = np.arange(len(actions))
            instead = np.where(allowed[:, -1], self._n_llms, allowed.argmax(axis=1))
            actions = np.where(allowed[rows, actions], actions, instead)
        chances: FloatArray = np.eye(self._n_llms + 1)[actions]
        return chances

    def _accuracies(self, query: FloatArray) -> FloatArray:
        """Return how probably each LLM is right, shape (sessions, LLMs)."""
        right: FloatArray = np.clip(with_intercept(query) @ self.coefficients, 0.0, 1.0)
        return right

    def _fit_accuracies(self, table: AskingTable) -> FloatArray:
        """Fit the coefficients; return what they say of every row, fitted without its query, shape (rows, LLMs).

        The penalty is the one under which that is best, by squared error.
        """
        seen, right, groups = table.observations, table.accuracy, twin_groups(table.observations)
        if groups.max() == 0:
            ridge, left_out = RIDGES[0], np.tile(table.weights @ right, (len(right), 1))
        else:
            tried = list(predictions_left_out(seen, right, groups, RIDGES, table.weights * len(right)))
            errors = [table.weights @ np.square(predicted - right).sum(axis=1) for predicted in tried]
            ridge, left_out = RIDGES[int(np.argmin(errors))], tried[int(np.argmin(errors))]
        self.coefficients = ridge_regression(seen, right, ridge, table.weights * len(right))
        clipped: FloatArray = np.clip(left_out, 0.0, 1.0)
        return clipped

    def _worth(self, table: AskingTable, asked: BoolArray, accepted: IntArray) -> FloatArray:
        """Return the reward of each row's query, shape (rows,).

        Args:
            table: The rows.
            asked: Who was asked, one after another, shape (rows, LLMs).
            accepted: Whose answer was accepted, shape (rows,).
        """
        assert self.task.reward is not None
        cost_usd, latency_s = ((values * asked).sum(axis=1) for values in (table.cost_usd, table.latency_s))
        rows, nothing = np.arange(len(accepted)), np.zeros(len(accepted))
        failed = table.failed[rows, accepted]
        accuracy = np.where(failed, nothing, table.accuracy[rows, accepted])
        worth = np.asarray(self.task.reward(accuracy, cost_usd, latency_s))
        return np.where(failed, np.minimum(worth, table.lost_reward), worth)
