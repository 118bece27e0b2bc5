"""Compare agents on the same sessions, beside the references."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from llm_routing_env.agents import agent_class, make_agent
from llm_routing_env.backends import make_backend
from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.envs.problem import RoutingProblem, pool_name
from llm_routing_env.envs.vector import PickLLMVectorEnv
from llm_routing_env.evaluation.metrics import intervals, per_session
from llm_routing_env.evaluation.references import BEST_FIXED, ORACLE, References, choose_references
from llm_routing_env.evaluation.sessions import SessionLog, reference_log, run_sessions
from llm_routing_env.evaluation.statistics import Bootstrap, Interval
from llm_routing_env.pool import load_pool

POOLED = "all"


@dataclass
class Comparison:
    """Everything a comparison found.

    Attributes:
        problem: What was routed.
        references: The policies that know the table.
        seed: Of sessions, agents and intervals.
        n_sessions: Per context.
        logs: By agent or reference, then context.
        metrics: By agent or reference, then context ("all": pooled, contexts weighted equally).
        agents: Names of the agents, in order.
        protocols: "online" or "pretrained", by agent.
    """

    problem: RoutingProblem
    references: References
    seed: int
    n_sessions: int
    logs: dict[str, dict[str, SessionLog]] = field(default_factory=dict)
    metrics: dict[str, dict[str, dict[str, Interval]]] = field(default_factory=dict)
    agents: list[str] = field(default_factory=list)
    protocols: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the result as one JSON-plain document."""
        rows = [
            {"agent": name, "protocol": self.protocols[name], "context": context, "metrics": metrics}
            for name in self.agents
            for context, metrics in self.metrics[name].items()
        ]
        references = {name: self.metrics[name] for name in self.references.actions}
        return {
            "table": {"name": str(self.problem.table.path), "sha256": self.problem.table.sha256},
            "reward": self.problem.reward.form,
            "weights": list(self.problem.reward.weights),
            "scorer": self.problem.scorer,
            "split": self.problem.split,
            "seed": self.seed,
            "sessions": self.n_sessions,
            "best_fixed_llm": self.references.best_fixed,
            "references": references,
            "agents": rows,
        }


def compare(
    agents: Sequence[str],
    *,
    n_sessions: int = 100,
    length: int = 200,
    seed: int = 0,
    backend: str = "table",
    pool: str | None = None,
    parameters: Mapping[str, Mapping[str, Any]] | None = None,
    on_step: Callable[[str, str], None] = lambda agent, context: None,
    **problem: Any,
) -> Comparison:
    """Run every agent on the same sessions of every context.

    Args:
        agents: Registered names, or "module:Class".
        n_sessions: Sessions per context.
        length: Queries per session (fewer where a context has fewer).
        seed: Of the sessions (the same for every agent), the agents and the intervals.
        backend: "table", or a live backend; sessions then run side by side, one call at a time.
        pool: The live backend's pool.
        parameters: Hyperparameters by agent.
        on_step: Called after every step of every agent.
        problem: Arguments of `PickLLMEnv`: table, context, split, reward, weights, scorer, ...

    Raises:
        ValueError: For unknown names, or arguments that cannot be.
    """
    for name, value in (("sessions", n_sessions), ("session length", length)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}.")
    classes = {name: agent_class(name) for name in agents}
    truth = RoutingProblem(**problem | {"observation": "none"})
    result = Comparison(truth, choose_references(truth), seed, n_sessions)
    contexts = [truth.context] if truth.context is not None else list(truth.contexts)
    seeds = {context: _session_seeds(seed, context, n_sessions) for context in contexts}
    for name, actions in result.references.actions.items():
        result.logs[name] = {
            context: reference_log(truth, actions, seeds[context], context=context, length=length)
            for context in contexts
        }
    for name, cls in classes.items():
        result.agents.append(name)
        result.protocols[name] = "online" if cls.feedback == "bandit" else "pretrained"
        env = _vector_env(n_sessions, length, backend, pool, problem | {"observation": cls.observation})
        options = (parameters or {}).get(name, {})
        result.logs[name] = {
            context: _run(name, env, seed, seeds[context], context, options, partial(on_step, name, context))
            for context in contexts
        }
        env.close()
    _judge(result, contexts)
    return result


def _run(
    name: str,
    env: SyncVectorEnv | PickLLMVectorEnv,
    seed: int,
    session_seeds: Sequence[int],
    context: str,
    hyperparameters: Mapping[str, Any],
    on_step: Callable[[], None],
) -> SessionLog:
    task = env.envs[0].get_wrapper_attr("task") if isinstance(env, SyncVectorEnv) else env.task
    # Hashed from the names, so that an agent's draws do not depend on which others are compared.
    agent_seed = zlib.crc32(f"{seed}/{name}/{context}".encode())
    agent = make_agent(name, task, n_sessions=env.num_envs, seed=agent_seed, **hyperparameters)
    return run_sessions(env, agent, session_seeds, context=context, on_step=on_step)


def _judge(result: Comparison, contexts: Sequence[str]) -> None:
    groups = {POOLED: list(contexts)} | {context: [context] for context in contexts}
    sizes = {group: [result.n_sessions] * len(members) for group, members in groups.items()}
    bootstraps = {group: Bootstrap(sizes[group], np.random.default_rng(result.seed)) for group in groups}
    rewards = {
        name: {context: log.rewards.mean(axis=1) for context, log in result.logs[name].items()}
        for name in (BEST_FIXED, ORACLE)
    }
    for name, logs in result.logs.items():
        commits = any((log.commitments >= 0).any() for log in logs.values())
        values = {
            context: per_session(log, result.problem.expected_rewards(context), commits=commits)
            for context, log in logs.items()
        }
        result.metrics[name] = {
            group: intervals(
                {context: values[context] for context in members},
                rewards[BEST_FIXED],
                rewards[ORACLE],
                bootstraps[group],
            )
            for group, members in groups.items()
        }


def _session_seeds(seed: int, context: str, n_sessions: int) -> list[int]:
    # Hashed, so that neighbouring seeds share no session and a context's sessions do not depend on the others.
    source = np.random.SeedSequence([seed, zlib.crc32(context.encode())])
    return [int(value) for value in source.generate_state(n_sessions)]


def _vector_env(
    n_sessions: int, length: int, backend: str, pool: str | None, options: dict[str, Any]
) -> SyncVectorEnv | PickLLMVectorEnv:
    if backend == "table":
        return PickLLMVectorEnv(n_sessions, length, autoreset_mode="DISABLED", info="numbers", **options)

    specs = load_pool(pool or pool_name(options.get("table", "nano")))
    shared = make_backend(backend, specs)  # one set of connections for all sessions

    def session() -> gym.Env[Any, Any]:
        return TimeLimit(PickLLMEnv(backend=shared, pool=specs, info="numbers", **options), length)

    return SyncVectorEnv([session] * n_sessions, autoreset_mode=AutoresetMode.DISABLED)
