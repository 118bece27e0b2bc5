"""Tasks, observations and simulated sessions that the tests of the agents share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llm_routing_env.agents import Agent, RoutingTask, TrainingTable, make_agent
from llm_routing_env.agents.parts.consensus import squared_distances
from llm_routing_env.rewards.additive import Additive

# An answer is worth its accuracy.
ACCURACY = Additive(form="additive", weights=(1, 0, 0), cost_scale_usd=1.0, max_cost_usd=1.0, max_latency_s=1.0)
# What takes long to fit is fitted in fewer steps.
QUICK: dict[str, dict[str, Any]] = {"barp": {"n_steps": 100}}
RewardDraw = Callable[[NDArray[np.int64], np.random.Generator], NDArray[np.float64]]


@pytest.fixture
def make_task() -> Callable[..., RoutingTask]:
    """Return a function that builds a task with accuracies as rewards and rising costs, with any field changed."""

    def make(n_actions: int = 4, observation_size: int = 5, **changes: Any) -> RoutingTask:
        fields: dict[str, Any] = {
            "n_actions": n_actions,
            "observation_size": observation_size,
            "llm_names": tuple(f"llm{arm}" for arm in range(n_actions)),
            "expected_cost_usd": tuple(1e-3 * (arm + 1) for arm in range(n_actions)),
            "reward_bounds": (0.0, 1.0),
            "reward": ACCURACY,
        }
        return RoutingTask(**(fields | changes))

    return make


@pytest.fixture
def make_training_table() -> Callable[..., TrainingTable]:
    """Return a function that draws a training table for a task, with any field given.

    Rewards depend linearly on the observations, up to noise; accuracy and cost rise from LLM to LLM.
    """

    def make(task: RoutingTask, n_queries: int = 60, seed: int = 0, **fields: Any) -> TrainingTable:
        rng = np.random.default_rng(seed)
        shape = (n_queries, task.n_actions)
        seen = rng.normal(size=(n_queries, task.observation_size))
        seen /= np.linalg.norm(seen, axis=1, keepdims=True)
        rank = np.arange(1, task.n_actions + 1) / task.n_actions
        drawn = {
            "observations": seen,
            "rewards": seen @ rng.normal(size=(task.observation_size, task.n_actions)) + rng.normal(size=shape) / 3,
            "accuracy": rng.random(shape) * rank,
            "cost_usd": rng.uniform(0.9, 1.1, shape) * rank * 1e-3,
            "latency_s": rng.uniform(0.01, 0.1, shape),
        }
        drawn["response_distances"] = squared_distances(rng.normal(size=(*shape, 3)))
        return TrainingTable(**(drawn | fields))

    return make


@pytest.fixture
def make_ready(make_training_table: Callable[..., TrainingTable]) -> Callable[..., Agent]:
    """Return a function that makes an agent, and fits it where it must be, on a table or one that is drawn."""

    def make(name: str, task: RoutingTask, *, table: TrainingTable | None = None, **options: Any) -> Agent:
        agent = make_agent(name, task, **(QUICK.get(name, {}) | options))
        if agent.feedback == "full":
            asked = np.array([f"question {number}" for number in range(60)], dtype=object)
            seen = {"observations": asked} if agent.observation == "prompt" else {}
            agent.fit(table or make_training_table(task, **seen))
        return agent

    return make


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
