"""Run an agent over many sessions at once and keep what happened."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from llm_routing_env.agents.base import Agent
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.vector import PickLLMVectorEnv

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MEASURES = ("accuracy", "cost_usd", "latency_s", "regret")


@dataclass(frozen=True)
class SessionLog:
    """What happened in sessions of one length, as arrays of shape (sessions, steps).

    Attributes:
        actions: The LLM asked.
        rewards: The reward.
        measures: "accuracy", "cost_usd", "latency_s", "regret" (expected, to the context's best LLM).
        probabilities: Mean over sessions of each LLM's probability before each step, shape (steps, LLMs).
        final_probabilities: Each LLM's probability after the last step, shape (sessions, LLMs).
        commit_steps: Queries routed when the agent committed, NaN where it did not, shape (sessions,).
        commitments: The LLM it committed to, -1 where it did not, shape (sessions,).
    """

    actions: Ints
    rewards: Floats
    measures: dict[str, Floats]
    probabilities: Floats
    final_probabilities: Floats
    commit_steps: Floats
    commitments: Ints


def run_sessions(
    env: SyncVectorEnv | PickLLMVectorEnv,
    agent: Agent,
    seeds: Sequence[int],
    *,
    context: str,
    on_step: Callable[[], None] = lambda: None,
) -> SessionLog:
    """Run one session per sub-environment, until they end.

    Args:
        env: Sessions of equal length, with autoreset disabled and numbers in `info`.
        agent: Made with `n_sessions=env.num_envs`; learns as it goes.
        seeds: One per session.
        context: Context of every session.
        on_step: Called after every step, for a progress display.
    """
    observation, _ = env.reset(seed=list(seeds), options={"context": context})
    actions, rewards, probabilities = [], [], []
    measures: dict[str, list[Floats]] = {name: [] for name in MEASURES}
    commit_steps = np.full(env.num_envs, np.nan)
    ended = np.zeros(env.num_envs, dtype=bool)
    while not ended.any():
        probabilities.append(agent.action_probabilities(observation).mean(axis=0))
        action = np.asarray(agent.select_action(observation))
        following, reward, terminated, truncated, info = env.step(action)
        agent.update(observation, action, reward, outcome={name: info[name] for name in MEASURES[:3]})
        observation, ended = following, terminated | truncated
        actions.append(action)
        rewards.append(reward)
        for name in MEASURES:
            measures[name].append(info.get(name, np.full(env.num_envs, np.nan)))
        just_committed = np.isnan(commit_steps) & (np.asarray(agent.committed_action) >= 0)
        commit_steps[just_committed] = len(actions)
        on_step()
    return SessionLog(
        actions=np.stack(actions, axis=1),
        rewards=np.stack(rewards, axis=1),
        measures={name: np.stack(values, axis=1) for name, values in measures.items()},
        probabilities=np.stack(probabilities),
        final_probabilities=agent.action_probabilities(observation),
        commit_steps=commit_steps,
        commitments=np.asarray(agent.committed_action),
    )


def reference_log(
    problem: RoutingProblem, actions: Ints, seeds: Sequence[int], *, context: str, length: int
) -> SessionLog:
    """Return what a fixed assignment of LLMs to queries gets on the sessions that agents with these seeds face.

    Args:
        problem: The problem.
        actions: The LLM for each query of the table, shape (queries,).
        seeds: One per session.
        context: Context of every session.
        length: Most steps of a session.
    """
    drawn = [problem.draw_session(seeding.np_random(seed)[0], context) for seed in seeds]
    queries = np.stack([order[:length] for order, _ in drawn])
    repeats = np.stack([repeat[:length] for _, repeat in drawn])
    llms = actions[queries]
    cells = (queries, llms, repeats)
    chosen = llms[..., None] == np.arange(problem.table.n_llms)
    return SessionLog(
        actions=llms,
        rewards=problem.reward_table.rewards[cells],
        measures={
            "accuracy": problem.reward_table.accuracies[cells],
            "cost_usd": problem.table.cost_usd[cells],
            "latency_s": problem.table.latency_s[cells],
            "regret": problem.context_best[queries] - problem.context_means[queries, llms],
        },
        probabilities=chosen.mean(axis=0),
        final_probabilities=chosen[:, -1].astype(np.float64),
        commit_steps=np.full(len(seeds), np.nan),
        commitments=np.full(len(seeds), -1),
    )
