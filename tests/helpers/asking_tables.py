"""Tasks, tables and environments for agents that may ask several LLMs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from asking import voting_table
from tables import write_with_embeddings

from llm_routing_env.agents import Agent, RoutingTask, agent_class, make_agent
from llm_routing_env.agents.parts.ask_view import seen_of_asks, size_of_asks
from llm_routing_env.agents.parts.asking_table import AskingTable
from llm_routing_env.envs import PickLLMMultiVectorEnv
from llm_routing_env.envs.asking_table import asking_table
from llm_routing_env.rewards.additive import Additive
from llm_routing_env.tables.table import OutcomeTable

_FOLDER = TemporaryDirectory()  # embeddings lie beside a table


@cache
def embedded_table() -> OutcomeTable:
    """Return a small table with embeddings of its queries and responses."""
    return OutcomeTable.read(write_with_embeddings(voting_table(per_context=30), Path(_FOLDER.name) / "voting.parquet"))


def asking_task(
    n_llms: int, size: int = 1, weights: tuple[float, float, float] = (1, 0, 0), measures: Sequence[str] = ()
) -> RoutingTask:
    """Return a task of queries of so many numbers; a cost of 1 dollar counts as 1."""
    reward = Additive(form="additive", weights=weights, cost_scale_usd=1.0, max_cost_usd=10.0, max_latency_s=1.0)
    return RoutingTask(
        n_actions=n_llms + 1,
        observation_size=size + size_of_asks(n_llms, len(measures)),
        llm_names=tuple(f"llm-{llm}" for llm in range(n_llms)),
        expected_cost_usd=(0.0,) * n_llms,
        reward_bounds=(-100.0, 1.0),
        reward=reward,
    )


def full_table(
    answers: Any, accuracy: Any, cost_usd: Any = 0.0, seen: Any = None, measures: Mapping[str, Any] | None = None
) -> AskingTable:
    """Return a table of answers and accuracies of shape (rows, LLMs), nothing failed, 10 ms each."""
    shape = np.shape(answers)
    return AskingTable(
        observations=np.zeros((shape[0], 1)) if seen is None else np.asarray(seen, dtype=np.float64),
        answers=np.asarray(answers),
        accuracy=np.asarray(accuracy, dtype=np.float64),
        cost_usd=np.broadcast_to(np.asarray(cost_usd, dtype=np.float64), shape),
        latency_s=np.full(shape, 0.01),
        failed=np.zeros(shape, dtype=bool),
        weights=np.full(shape[0], 1 / shape[0]),
        lost_reward=-100.0,
        measures={name: np.asarray(values, dtype=np.float64) for name, values in (measures or {}).items()},
    )


def made(name: str, n_sessions: int | None = 5, **parameters: Any) -> tuple[Agent, PickLLMMultiVectorEnv]:
    """Return a fitted agent of the small table, and its environment of as many sessions."""
    _, measures = seen_of_asks(agent_class(name).observation)
    env = PickLLMMultiVectorEnv(
        n_sessions or 1, "DISABLED", embedded_table(), observation="context", measures=measures, n_queries=6
    )
    agent = make_agent(name, replace(env.task, observation=None), n_sessions=n_sessions, seed=0, **parameters)
    agent.fit(asking_table(env.problem, measures))
    return agent, env
