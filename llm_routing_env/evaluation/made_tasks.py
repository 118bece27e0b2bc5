"""Made-up tasks, observations and training tables, on which agents are checked without a table of outcomes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents import RoutingTask, TrainingTable, agent_class
from llm_routing_env.agents.parts.consensus import squared_distances
from llm_routing_env.rewards.additive import Additive

# An answer is worth its accuracy.
ACCURACY = Additive(form="additive", weights=(1, 0, 0), cost_scale_usd=1.0, max_cost_usd=1.0, max_latency_s=1.0)


def make_task(n_actions: int = 4, observation_size: int = 5, **changes: Any) -> RoutingTask:
    """Return a task with accuracies as rewards and rising costs, with any field changed."""
    fields: dict[str, Any] = {
        "n_actions": n_actions,
        "observation_size": observation_size,
        "llm_names": tuple(f"llm{arm}" for arm in range(n_actions)),
        "expected_cost_usd": tuple(1e-3 * (arm + 1) for arm in range(n_actions)),
        "reward_bounds": (0.0, 1.0),
        "reward": ACCURACY,
    }
    return RoutingTask(**(fields | changes))


def make_training_table(task: RoutingTask, n_queries: int = 60, seed: int = 0, **fields: Any) -> TrainingTable:
    """Return a training table drawn for a task, with any field given.

    Rewards depend linearly on the observations, up to noise; accuracy and cost rise from LLM to LLM.
    """
    rng = np.random.default_rng(seed)
    shape = (n_queries, task.n_actions)
    seen = rng.normal(size=(n_queries, task.observation_size))
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    rank = np.arange(1, task.n_actions + 1) / task.n_actions
    drawn: dict[str, Any] = {
        "observations": seen,
        "rewards": seen @ rng.normal(size=(task.observation_size, task.n_actions)) + rng.normal(size=shape) / 3,
        "accuracy": rng.random(shape) * rank,
        "cost_usd": rng.uniform(0.9, 1.1, shape) * rank * 1e-3,
        "latency_s": rng.uniform(0.01, 0.1, shape),
        "response_distances": squared_distances(rng.normal(size=(*shape, 3))),
    }
    return TrainingTable(**(drawn | fields))


def observations_for(
    name: str, task: RoutingTask, n_rounds: int, n_sessions: int, rng: np.random.Generator
) -> NDArray[Any]:
    """Return unit vectors, one-hot for agents that want the context; shape (rounds, sessions, observation size).

    Single precision, as environments give them. Texts for agents that want the prompt, shape (rounds, sessions).
    """
    if agent_class(name).observation == "prompt":
        numbers = rng.integers(0, 1000, size=(n_rounds, n_sessions))
        return np.array([[f"What is {number}?" for number in row] for row in numbers], dtype=object)
    if agent_class(name).observation == "context":
        contexts = rng.integers(0, task.observation_size, size=(n_rounds, n_sessions))
        one_hot: NDArray[Any] = np.eye(task.observation_size, dtype=np.float32)[contexts]
        return one_hot
    vectors = rng.normal(size=(n_rounds, n_sessions, task.observation_size))
    units: NDArray[Any] = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return units
