"""What routers that are fitted before they route have in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.distributions import level, only, uniform_over_best
from llm_routing_env.agents.parts.logged import LoggedData
from llm_routing_env.agents.parts.state import BoolArray, FloatArray
from llm_routing_env.agents.parts.task import N_OBJECTIVES, RoutingTask
from llm_routing_env.agents.parts.training import TrainingTable

_ROUNDING = 1e-10  # of the rewards' size: more than floating point loses, less than any difference that matters


class PretrainedAgent(Agent):
    """A router that is fitted once on full information and then frozen: rewards teach it nothing more.

    It asks the LLM with the highest score, ties at random. The sessions of a batch share one fitted model. A subclass
    gives `_fit` and `_scores`, or overrides `_route`; it has all its array attributes from the start, so that it can
    be loaded.

    Attributes:
        fits_logs: Whether its `_fit` takes tables that have one LLM's outcome in each row, of which `weights` says how
            much it counts.
        is_fitted: Whether it has been fitted, shape ().
        rounding: Scores that differ by no more than this are the same, shape ().
    """

    feedback = "full"
    fits_logs = False

    def __init__(self, task: RoutingTask, *, n_sessions: int | None = None, seed: int | None = None) -> None:
        """Start without a model.

        Args:
            task: See `Agent`.
            n_sessions: See `Agent`.
            seed: See `Agent`.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.is_fitted = np.zeros((), dtype=np.bool_)
        self.rounding = np.zeros(())

    def fit(self, training_table: TrainingTable) -> None:
        """Fit the model, from scratch if there was one.

        Args:
            training_table: Every LLM's outcomes on the train split, see `RoutingProblem.training_table`. Each LLM is
                fitted on the queries that it was asked.

        Raises:
            ValueError: If the table has another number of LLMs or observations of another size.
        """
        n_llms, size = training_table.rewards.shape[1], training_table.observation_size
        self._require(n_llms == self.task.n_actions, "training_table", f"of {self.task.n_actions} LLMs", n_llms)
        expected = self._query_size
        fits = self.observation == "none" or size == expected
        self._require(fits, "training_table", f"of observations of size {expected}", size)
        self.rounding = np.array(_ROUNDING * np.nanmax(np.abs(training_table.rewards)))
        self._fit(training_table)
        self.is_fitted = np.ones((), dtype=np.bool_)

    @property
    def _query_size(self) -> int:
        """How many numbers of an observation are the query's; a preference that it goes by is no part of that."""
        of_preference = N_OBJECTIVES if self.sees_preferences and self.task.shows_preference else 0
        return self.task.observation_size - of_preference

    def _require_one_preference(self, preference: float | None) -> None:
        """Refuse a preference where observations end with one."""
        is_once = preference is None or not self.task.shows_preference
        self._require(is_once, "preference", "None where observations end with one", preference)

    @classmethod
    def protocols(cls) -> tuple[str, ...]:
        """See `Agent.protocols`."""
        return ("pretrained", "logged") if cls.fits_logs else ("pretrained",)

    def fit_log(self, logged: LoggedData | Sequence[LoggedData]) -> None:
        """Fit the model on what is known of one LLM per query, each row weighted by 1 / propensity.

        Raises:
            TypeError: If the router needs every LLM's outcome of a query, or is given several logs.
        """
        if not self.fits_logs:
            raise TypeError(
                f"{type(self).__name__} is fitted on every LLM's outcomes of each query, and learns nothing from a log."
            )
        if not isinstance(logged, LoggedData):
            raise TypeError(f"{type(self).__name__} has one model for all sessions: fit it on one log.")
        self.fit(logged.table(self.task.n_actions))

    def _fit(self, training_table: TrainingTable) -> None:
        """Learn the model."""
        raise NotImplementedError

    def _probabilities(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        if not self.is_fitted:
            raise RuntimeError(
                f"{type(self).__name__} is not fitted: call fit(training_table) first, for example with "
                "env.unwrapped.problem.training_table(agent)."
            )
        return self._route(observation, allowed)

    def _route(self, observation: FloatArray, allowed: BoolArray | None) -> FloatArray:
        """Return what `_probabilities` returns, once fitted."""
        return uniform_over_best(level(only(self._scores(observation), allowed), self.rounding), allowed)

    def _scores(self, observation: FloatArray) -> FloatArray:
        """Return how good each LLM is for the query, shape (sessions, arms)."""
        raise NotImplementedError
