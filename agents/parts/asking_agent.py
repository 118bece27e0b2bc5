"""What agents of `PickLLM-Multi-v0` that are fitted before they ask have in common."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.ask_view import AskView, seen_of_asks, size_of_asks
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.agents.parts.linear_model import predictions_left_out, ridge_regression, with_intercept
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.pretrained import PretrainedAgent
from llm_routing_env.agents.parts.state import BoolArray, FloatArray, IntArray
from llm_routing_env.agents.parts.task import RoutingTask

COMPARING = frozenset({"smoothie"})  # measures of answers that say nothing of a single one
RIDGES = tuple(10.0**exponent for exponent in range(3, -3, -1))


class AskingAgent(PretrainedAgent):
    """A policy that is fitted once on full information: which LLM to ask next, or which answer to accept.

    All that it needs of a query's asks is in the observation, so it holds nothing between steps. A subclass gives
    `_fit` and `_ask`, and its `observation` names the measures of answers that it goes by. Where an action is masked,
    the vote is accepted instead, or the first LLM that can be is asked.

    Attributes:
        takes_measures: Whether it goes by whatever measures of answers there are to see, beyond those that its
            `observation` names.
        coefficients: Of each LLM's accuracy, the intercepts as first row, shape (1 + query's size, LLMs).
    """

    environment = "PickLLM-Multi-v0"
    observation = "embedding+asks"
    takes_measures: bool = False

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
        self._n_llms, self._measures = len(task.llm_names), measures_shown(self)
        size, needed = size_of_query(self, len(self._measures)), seen_of_asks(type(self).observation)[1]
        shows = self.takes_measures or self._measures == needed
        self._require(shows, "task", f"one that shows the measures {needed}", self._measures)
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
        return certain(actions, allowed, self.task.n_actions)

    def _accuracies(self, query: FloatArray) -> FloatArray:
        """Return how probably each LLM is right, shape (sessions, LLMs)."""
        right: FloatArray = np.clip(with_intercept(query) @ self.coefficients, 0.0, 1.0)
        return right

    def _fit_accuracies(self, table: AskingTable) -> FloatArray:
        """Fit the coefficients; return what they say of every row, fitted without its query, shape (rows, LLMs).

        The penalty is the one under which that is best, by squared error.
        """
        right = table.accuracy
        self.coefficients, left_out = fitted_left_out(
            table, right, lambda predicted: -float(table.weights @ np.square(predicted - right).sum(axis=1))
        )
        clipped: FloatArray = np.clip(left_out, 0.0, 1.0)
        return clipped

    def _worth(self, table: AskingTable, asked: BoolArray, accepted: IntArray) -> FloatArray:
        """Return the reward of each row's query, shape (rows,).

        Args:
            table: The rows.
            asked: Who was asked, one after another, shape (rows, LLMs).
            accepted: Whose answer was accepted, shape (rows,).
        """
        return worth_of_asks(self.task, table, asked, accepted)


def measures_shown(agent: Agent) -> tuple[str, ...]:
    """Return the measures of answers that an agent's task shows; where it does not say, those that it wants to see."""
    observation = type(agent).observation if agent.task.observation is None else agent.task.observation
    return seen_of_asks(observation)[1]


def measures_of_one(agent: Agent) -> tuple[str, ...]:
    """Return the measures shown to an agent that goes by those of a single answer.

    Raises:
        ValueError: If one of them compares answers. Where one LLM was asked it says nothing; of tables, where all were,
            the agent would learn to go by it.
    """
    shown = measures_shown(agent)
    for measure in COMPARING & set(shown):
        raise ValueError(
            f"{type(agent).__name__}: {measure!r} compares several answers, and this goes by one LLM's alone: show it "
            "another measure, or none."
        )
    return shown


def size_of_query(agent: Agent, n_measures: int) -> int:
    """Return how many numbers of an observation are the query's.

    Raises:
        ValueError: The agent's task is of another environment.
    """
    task, n_llms = agent.task, len(agent.task.llm_names)
    if task.n_actions != n_llms + 1:
        raise ValueError(
            f"{type(agent).__name__}: task must be one of {agent.environment}, an action for each LLM and one more, "
            f"got {task.n_actions}."
        )
    size = task.observation_size - size_of_asks(n_llms, n_measures)
    if size <= 0:
        raise ValueError(
            f"{type(agent).__name__}: task.observation_size must be that of a query and its asks, "
            f"got {task.observation_size}."
        )
    return size


def certain(actions: IntArray, allowed: BoolArray | None, n_actions: int) -> FloatArray:
    """Return the distribution that has all mass on one action per session, shape (sessions, actions).

    Where that is masked it is the vote, the last action, or the first one that is not.
    """
    if allowed is not None:
        rows = np.arange(len(actions))
        instead = np.where(allowed[:, -1], n_actions - 1, allowed.argmax(axis=1))
        actions = np.where(allowed[rows, actions], actions, instead)
    chances: FloatArray = np.eye(n_actions)[actions]
    return chances


def llm_number(task: RoutingTask, name: str) -> int:
    """Return the number of an LLM of the pool.

    Raises:
        ValueError: If it has none of that name.
    """
    if name not in task.llm_names:
        raise unknown_name("LLM", name, task.llm_names)
    return task.llm_names.index(name)


def fitted_left_out(
    table: AskingTable, targets: FloatArray, merit: Callable[[FloatArray], float]
) -> tuple[FloatArray, FloatArray]:
    """Fit targets linearly to the queries, under the penalty of `RIDGES` whose predictions are best.

    Args:
        table: The rows.
        targets: Shape (rows, outputs).
        merit: How good predictions of every row are, each fitted without its query: more is better.

    Returns:
        The coefficients, the intercepts as first row, shape (1 + observation size, outputs); and these predictions, the
        means where there is but one query.
    """
    seen, weights, groups = table.observations, table.weights * len(targets), table.groups
    if groups.max() == 0:
        ridge, left_out = RIDGES[0], np.tile(table.weights @ targets, (len(targets), 1))
    else:
        tried = list(predictions_left_out(seen, targets, groups, RIDGES, weights))
        best = int(np.argmax([merit(predicted) for predicted in tried]))
        ridge, left_out = RIDGES[best], tried[best]
    return ridge_regression(seen, targets, ridge, weights), left_out


def worth_of_asks(task: RoutingTask, table: AskingTable, asked: BoolArray, accepted: IntArray | int) -> FloatArray:
    """Return the reward of each row's query, shape (rows,).

    Args:
        task: Says what outcomes are worth.
        table: The rows.
        asked: Who was asked, one after another, shape (rows, LLMs).
        accepted: Whose answer was accepted, shape (rows,), or one for all.

    Raises:
        ValueError: If the task does not know the reward.
    """
    if task.reward is None:
        raise ValueError("task.reward must be known, asks are weighed by it, got None.")
    cost_usd, latency_s = ((values * asked).sum(axis=1) for values in (table.cost_usd, table.latency_s))
    rows = np.arange(len(table.weights))
    failed = table.failed[rows, accepted]
    accuracy = np.where(failed, 0.0, table.accuracy[rows, accepted])
    worth = np.asarray(task.reward(accuracy, cost_usd, latency_s))
    return np.where(failed, np.minimum(worth, table.lost_reward), worth)
