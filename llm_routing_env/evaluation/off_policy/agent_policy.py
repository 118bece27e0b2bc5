"""Agents as fixed policies: fitted and frozen, without learning, or as they stood when they were saved."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from llm_routing_env.agents import AGENTS, Agent, agent_class, make_agent, observation_of
from llm_routing_env.agents.parts import checkpoint
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.off_policy.logged import Floats, Ints

ProblemSeeing = Callable[[str], RoutingProblem]


def made_agent(name: str, problem_seeing: ProblemSeeing) -> tuple[Agent, RoutingProblem]:
    """Return an agent that learns nothing while it routes, fitted on the train split where it is fitted at all.

    Raises:
        ValueError: If there is no such agent, or it learns as it goes.
    """
    if agent_class(name).feedback == "bandit":
        raise ValueError(
            f"{name} learns while it routes, so that what it does to a query depends on those before: no log can say "
            "what it would have got. Save it as it stands (agent.save) and give the .npz file, or take an agent that "
            "is fitted before it routes."
        )
    problem = problem_seeing(observation_of(name, {}))
    agent = make_agent(name, problem.task, seed=0)
    if agent.protocol() == "pretrained":
        agent.fit(problem.training_table(agent))
    return agent, problem


def saved_agent(path: Path, problem_seeing: ProblemSeeing) -> tuple[Agent, RoutingProblem]:
    """Return an agent as it stood when it was saved.

    Raises:
        ValueError: If the file holds none of the registered agents, or one of other LLMs, or several learners.
    """
    header, _ = checkpoint.read(path)
    classes = {found.__name__: found for found in map(agent_class, AGENTS)}
    if header["agent"] not in classes:
        raise ValueError(f"{path} holds a {header['agent']}, which is no registered agent: see `pickllm agents`.")
    if header["n_sessions"] is not None:
        raise ValueError(
            f"{path} holds {header['n_sessions']} learners at once, which is no single policy: save one that was made "
            "with n_sessions=None."
        )
    problem = problem_seeing(header["observation"])
    return classes[header["agent"]].load(path, problem.task), problem


def policy_of_agent(agent: Agent, problem: RoutingProblem) -> Callable[[Ints], Floats]:
    """Return what gives an agent's probabilities for queries in their phases, shape (steps,) to (steps, LLMs)."""

    def ask(row: int) -> Floats:
        mask = problem.cells.available[row] if problem.is_masked else None
        return np.asarray(agent.action_probabilities(problem.observations[row % problem.table.n_queries], mask))

    def chances(rows: Ints) -> Floats:
        distinct, places = np.unique(rows, return_inverse=True)
        found = np.stack([ask(row) for row in distinct.tolist()])
        agent.select_action(problem.observations[distinct[0] % problem.table.n_queries])
        if not np.array_equal(ask(int(distinct[0])), found[0]):
            raise ValueError(
                f"{type(agent).__name__} answers otherwise once it was asked: what it does depends on what it did "
                "before, and no log can say what it would have got."
            )
        return np.asarray(found[places])

    return chances
