"""Lets a class that has an agent's two methods, but not its base class, route as an agent."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from llm_routing_env.agents.parts.agent import Agent, RoutingTask
from llm_routing_env.agents.parts.signatures import given_mask, hyperparameters_of, takes
from llm_routing_env.agents.parts.state import FloatArray
from llm_routing_env.agents.parts.training import TrainingTable


class AdaptedAgent(Agent):
    """Hands one session's queries to an object with ``select_action(observation)`` and ``update(...)``.

    Attributes:
        adapted: The class of that object.
    """

    adapted: type[Any]

    def __init__(self, task: RoutingTask, *, seed: int | None = None, **hyperparameters: Any) -> None:
        """Construct the object.

        Args:
            task: See `Agent`; the constructor's first argument.
            seed: See `Agent`; for a constructor that takes one.
            **hyperparameters: The object's own.
        """
        super().__init__(task, seed=seed)
        seeded = {"seed": seed} if takes(self.adapted, "seed") else {}
        self._agent = self.adapted(task, **seeded, **hyperparameters)
        self._told = [name for name in ("outcome", "probability") if takes(self._agent.update, name)]

    @classmethod
    def hyperparameters(cls) -> dict[str, Any]:
        """Return what its constructor takes, see `Agent.hyperparameters`."""
        return hyperparameters_of(cls.adapted)

    def fit(self, training_table: TrainingTable) -> None:
        """Fit the object, if it can be, see `Agent.fit`."""
        if not hasattr(self._agent, "fit"):
            super().fit(training_table)
        self._agent.fit(training_table)

    def begin_session(self) -> None:
        """Tell the object, if it wants to know, see `Agent.begin_session`."""
        getattr(self._agent, "begin_session", super().begin_session)()

    def select_action(self, observation: ArrayLike | None, action_mask: ArrayLike | None = None) -> int:
        """Return the object's action, see `Agent.select_action`."""
        self._allowed, self._is_next = self._checked_mask(action_mask), True
        self.n_selected.now += 1
        action = self._agent.select_action(observation, **given_mask(self._agent.select_action, action_mask))
        return int(self._checked_action(action)[0])

    def update(
        self,
        observation: ArrayLike | None,
        action: ArrayLike,
        reward: ArrayLike,
        outcome: Mapping[str, Any] | None = None,
        probability: ArrayLike | None = None,
    ) -> None:
        """Let the object learn, see `Agent.update`."""
        actions, rewards = self._checked_action(action), self._checked_reward(reward)
        self._require_allowed(actions)
        told = {
            "outcome": outcome,
            "probability": None if probability is None else self._checked_probability(probability).item(),
        }
        self._agent.update(observation, int(actions[0]), float(rewards[0]), **{name: told[name] for name in self._told})
        self.n_updates += 1
        self._is_next = False

    def action_probabilities(self, observation: ArrayLike | None, action_mask: ArrayLike | None = None) -> FloatArray:
        """Return the object's probabilities, if it gives any, see `Agent.action_probabilities`."""
        if not hasattr(self._agent, "action_probabilities"):
            return super().action_probabilities(observation, action_mask)
        probabilities: FloatArray = self._agent.action_probabilities(
            observation, **given_mask(self._agent.action_probabilities, action_mask)
        )
        return probabilities

    @property
    def committed_action(self) -> int:
        """The arm that the object has settled on for good, -1 before, or if it does not say."""
        action = getattr(self._agent, "committed_action", -1)
        return -1 if action is None or np.array_equal(action, -1) else int(self._checked_action(action)[0])

    def save(self, path: str | Path, about: Mapping[str, Any] | None = None) -> None:
        """Refuse: what the object has learned only its own class knows."""
        raise NotImplementedError(f"{type(self).__name__} is saved by its own means: it is no subclass of Agent.")


def adapt(found: type[Any]) -> type[Agent]:
    """Return the class as an agent for one session; one with a ``fit`` has full feedback, unless it says otherwise."""
    is_fitted = hasattr(found, "fit") and len(inspect.signature(found.fit).parameters) == 2  # itself, and the table
    own = {
        "observation": getattr(found, "observation", Agent.observation),
        "feedback": getattr(found, "feedback", "full" if is_fitted else Agent.feedback),
        "maximises": getattr(found, "maximises", Agent.maximises),
        "needs_responses": getattr(found, "needs_responses", Agent.needs_responses),
    }
    return type(found.__name__, (AdaptedAgent,), {"adapted": found, "__doc__": found.__doc__, **own})
