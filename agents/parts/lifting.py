"""Runs an agent that was written for one session as a batch of independent sessions."""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from llm_routing_env.agents.parts.agent import Agent, RoutingTask
from llm_routing_env.agents.parts.generators import seeds_of
from llm_routing_env.agents.parts.logged import LoggedData
from llm_routing_env.agents.parts.signatures import given_mask, takes
from llm_routing_env.agents.parts.state import FloatArray, IntArray
from llm_routing_env.agents.parts.training import TrainingTable


def handles_batches(agent_type: type[Agent]) -> bool:
    """Say whether the constructor takes ``n_sessions``.

    Through ``**kwargs`` it may come to either kind of agent: one that overrides `select_action` or `update` is then
    taken to be written for a single session, since `_probabilities` and `_learn` are the ones with an axis of sessions.
    """
    parameters = inspect.signature(agent_type).parameters
    if "n_sessions" in parameters:
        return True
    hands_on = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return hands_on and agent_type.select_action is Agent.select_action and agent_type.update is Agent.update


def adopt(agent: Agent, fitted: Agent) -> None:
    """Give an agent a copy of all that another of its class holds, but for its random generators."""
    own = vars(agent)
    # What deepcopy finds here it takes as it is.
    kept: dict[int, Any] = {id(fitted): agent, id(fitted.task): agent.task}
    kept |= _generators(fitted, agent)
    own.update(copy.deepcopy(vars(fitted), kept))


def _generators(theirs: object, ours: object) -> dict[int, Any]:
    """Return our generator for each of theirs, by its id; of an object that is adapted, the ones that it holds."""
    kept: dict[int, Any] = {}
    for name, value in getattr(theirs, "__dict__", {}).items():
        own = getattr(ours, name, None)
        if name == "_agent":
            kept |= _generators(value, own)
        elif own is not None and _is_generator(value):
            kept[id(value)] = own
    return kept


def _is_generator(value: object) -> bool:
    # torch's is called Generator too, and torch need not be there.
    return isinstance(value, random.Random | np.random.RandomState) or type(value).__name__ == "Generator"


class LiftedAgent(Agent):
    """A batch made of one agent per session, each with a seed of its own.

    Attributes:
        agents: The single-session agents.
    """

    def __init__(
        self, construct: Callable[..., Agent], task: RoutingTask, *, n_sessions: int, seed: int | None
    ) -> None:
        """Construct one agent per session.

        Args:
            construct: Gives an agent for one session, from a ``seed``.
            task: See `Agent`.
            n_sessions: Number of agents.
            seed: The agents' seeds are drawn from it.
        """
        super().__init__(task, n_sessions=n_sessions, seed=seed)
        self.agents = [construct(seed=row_seed) for row_seed in seeds_of(seed, n_sessions)]
        self._fresh = partial(construct, seed=None if seed is None else int(seed))
        first = self.agents[0]
        self.observation, self.feedback = first.observation, first.feedback
        self.maximises, self.needs_responses = first.maximises, first.needs_responses
        self.protocol = first.protocol  # type: ignore[method-assign]
        self._told = [name for name in ("outcome", "probability") if takes(first.update, name)]

    def fit(self, training_table: TrainingTable) -> None:
        """Fit one agent, and give all what it learned: fitting may take minutes.

        Its seed is the one that the sessions share, so that the model does not depend on which they are.
        """
        fitted = self._fresh()
        fitted.fit(training_table)
        for agent in self.agents:
            adopt(agent, fitted)

    def fit_log(self, logged: LoggedData | Sequence[LoggedData]) -> None:
        """Let one agent learn from a log, and give all what it learned; of several logs, each agent has its own."""
        if isinstance(logged, LoggedData):
            fitted = self._fresh()
            fitted.fit_log(logged)
            for agent in self.agents:
                adopt(agent, fitted)
        else:
            for agent, own in zip(self.agents, logged, strict=True):
                agent.fit_log(own)

    def begin_session(self) -> None:
        """Tell every session's agent, see `Agent.begin_session`."""
        for agent in self.agents:
            agent.begin_session()

    def select_action(self, observation: ArrayLike | None, action_mask: ArrayLike | None = None) -> IntArray:
        """Return the action of every session, shape (sessions,). See `Agent.select_action`."""
        rows = zip(self.agents, self._split(observation), self._split_mask(action_mask), strict=True)
        self._allowed, self._is_next = self._checked_mask(action_mask), True
        self.n_selected.now += 1
        return np.array(
            [agent.select_action(row, **given_mask(agent.select_action, mask)) for agent, row, mask in rows]
        )

    def update(
        self,
        observation: ArrayLike | None,
        action: ArrayLike,
        reward: ArrayLike,
        outcome: Mapping[str, Any] | None = None,
        probability: ArrayLike | None = None,
    ) -> None:
        """Update every session. See `Agent.update`."""
        self._require_allowed(self._checked_action(action))
        actions, rewards = self._checked_action(action).tolist(), self._checked_reward(reward).tolist()
        chances = None if probability is None else self._checked_probability(probability).tolist()
        for row, seen in enumerate(self._split(observation)):
            of_row = None if outcome is None else {name: values[row] for name, values in outcome.items()}
            self.update_one(row, seen, actions[row], rewards[row], of_row, None if chances is None else chances[row])
        self.n_updates += 1
        self._is_next = False

    def update_one(
        self,
        row: int,
        observation: Any,
        action: int,
        reward: float,
        outcome: Mapping[str, Any] | None,
        probability: float | None,
    ) -> None:
        """Update one session, by its number. See `Agent.update`."""
        told: dict[str, Any] = {"outcome": outcome, "probability": probability}
        self.agents[row].update(observation, action, reward, **{name: told[name] for name in self._told})

    def _act(self, observation: ArrayLike, deterministic: bool) -> IntArray:
        return np.array([agent._act(row, deterministic) for agent, row in self._pairs(observation)])

    def _pairs(self, observation: ArrayLike | None) -> Iterable[tuple[Agent, Any]]:
        return zip(self.agents, self._split(observation), strict=True)

    def action_probabilities(self, observation: ArrayLike | None, action_mask: ArrayLike | None = None) -> FloatArray:
        """Return the propensities of every session. See `Agent.action_probabilities`."""
        rows = zip(self.agents, self._split(observation), self._split_mask(action_mask), strict=True)
        return np.array(
            [
                agent.action_probabilities(row, **given_mask(agent.action_probabilities, mask))
                for agent, row, mask in rows
            ]
        )

    @property
    def committed_action(self) -> IntArray:
        """The arm that each session has settled on for good, -1 while it has not."""
        return np.array([agent.committed_action for agent in self.agents])

    def save(self, path: str | Path, about: Mapping[str, Any] | None = None) -> None:
        """Refuse: save ``agents`` one by one."""
        raise NotImplementedError(f"A lifted batch is not saved as one: save its agents ({len(self.agents)}) instead.")

    def _split(self, observation: ArrayLike | None) -> list[Any]:
        self._checked_observation(observation)
        return [None] * len(self.agents) if observation is None else list(np.asarray(observation))

    def _split_mask(self, action_mask: ArrayLike | None) -> list[Any]:
        mask = self._checked_mask(action_mask)
        return [None] * len(self.agents) if mask is None else list(mask)
