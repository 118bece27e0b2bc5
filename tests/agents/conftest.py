"""Tasks, observations and simulated sessions that the tests of the agents share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from llm_routing_env.agents import Agent, RoutingTask, TrainingTable
from llm_routing_env.evaluation import agent_checks, made_tasks

RewardDraw = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.float64]]


@pytest.fixture
def make_task() -> Callable[..., RoutingTask]:
    """Return a function that builds a task with accuracies as rewards and rising costs, with any field changed."""
    return made_tasks.make_task


@pytest.fixture
def make_training_table() -> Callable[..., TrainingTable]:
    """Return a function that draws a training table for a task, with any field given."""
    return made_tasks.make_training_table


@pytest.fixture
def make_ready() -> Callable[..., Agent]:
    """Return a function that makes an agent, and fits it where it must be, on a table or one that is drawn."""
    return agent_checks.make_ready


@pytest.fixture
def bernoulli() -> Callable[..., RewardDraw]:
    """Return a function that turns the arms' means into a draw of 0/1 rewards."""

    def make(*means: float) -> RewardDraw:
        return lambda action, rng: (rng.random(len(action)) < np.array(means)[action]).astype(np.float64)

    return make


@pytest.fixture
def play() -> Callable[..., NDArray[np.int64]]:
    """Return a function that lets a batch of sessions learn, and gives the actions, shape (rounds, sessions)."""

    def run(
        agent: Agent, draw: RewardDraw, n_rounds: int, seed: int = 0, stop_when_committed: bool = False
    ) -> NDArray[np.int64]:
        rng = np.random.default_rng(seed)
        actions = []
        for _ in range(n_rounds):
            action = np.asarray(agent.select_action(None))
            agent.update(None, action, draw(action, rng))
            actions.append(action)
            if stop_when_committed and (agent.commitments >= 0).all():
                break
        return np.array(actions)

    return run


@pytest.fixture
def learn() -> Callable[..., None]:
    """Return a function that feeds (action, reward) pairs to a single-session agent."""

    def feed(agent: Agent, *experience: tuple[int, float]) -> None:
        for action, reward in experience:
            agent.update(None, action, reward)

    return feed


@pytest.fixture
def regret() -> Callable[..., NDArray[np.float64]]:
    """Return a function from actions, shape (rounds, sessions), to the cumulative regret averaged over sessions."""

    def cumulative(actions: NDArray[np.int64], means: tuple[float, ...]) -> NDArray[np.float64]:
        return np.cumsum((max(means) - np.array(means)[actions]).mean(axis=1))

    return cumulative
