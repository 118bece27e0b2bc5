"""Policies whose worth a log is asked for: by name, from a saved agent, or as a file of probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents import AGENTS, Agent, agent_class
from llm_routing_env.agents.parts.distributions import restrict, uniform
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.off_policy.agent_policy import made_agent, policy_of_agent, saved_agent
from llm_routing_env.evaluation.off_policy.logged import Floats, Ints
from llm_routing_env.evaluation.off_policy.policy_file import read_probabilities

ALWAYS, RANDOM = "always:", "random"


@dataclass(frozen=True, eq=False)
class Asked:
    """Queries that a policy is asked about.

    Attributes:
        query_ids: Their ids, one per step.
        mask: Whether each LLM can be asked, shape (steps, LLMs); None: all can.
        phases: The phase of the scenario at each step; 0 without one.
    """

    query_ids: Sequence[str]
    mask: NDArray[np.bool_] | None
    phases: Ints


Policy = Callable[[Asked], Floats]  # the probability of each LLM, shape (steps, LLMs)


@dataclass(frozen=True)
class NamedPolicy:
    """A policy, and whether it was fitted on the table's train split."""

    chances: Policy
    is_fitted: bool = False


def read_policy(text: str, llm_names: Sequence[str], problem_seeing: Callable[[str], RoutingProblem]) -> NamedPolicy:
    """Return the policy that a text names. LLMs that cannot be asked get nothing, the others their share of the rest.

    Args:
        text: ``always:LLM``, ``random``, an agent's name, or the path of a saved agent or of a file of probabilities.
        llm_names: The LLMs of the log.
        problem_seeing: Returns the log's problem with a kind of observation; raises where the log is of no table.

    Raises:
        ValueError: If there is no such policy, or what it does is not settled before it routes.
    """
    if text.startswith(ALWAYS):
        llm = text.removeprefix(ALWAYS)
        if llm not in llm_names:
            raise unknown_name("LLM", llm, llm_names)
        share = np.eye(len(llm_names))[list(llm_names).index(llm)]
        return NamedPolicy(_masked(lambda asked: np.tile(share, (len(asked.query_ids), 1))))
    if text == RANDOM:
        return NamedPolicy(_masked(lambda asked: uniform(len(asked.query_ids), len(llm_names))))
    path = Path(text)
    if path.suffix in (".parquet", ".csv"):
        probabilities = read_probabilities(path, llm_names)
        return NamedPolicy(_masked(lambda asked: probabilities(asked.query_ids)))
    if path.suffix == ".npz":
        return _of_agent(*saved_agent(path, problem_seeing))
    if text in AGENTS or ":" in text:
        return _of_agent(*made_agent(text, problem_seeing))
    settled = [name for name in AGENTS if agent_class(name).feedback != "bandit"]
    files = "saved agents (.npz), files of probabilities (.csv, .parquet)"
    raise unknown_name("policy", text, settled, f"Also: {ALWAYS}LLM, {files}.")


def _of_agent(agent: Agent, problem: RoutingProblem) -> NamedPolicy:
    of_rows = policy_of_agent(agent, problem)
    places = {query: place for place, query in enumerate(problem.table.query_ids)}

    def chances(asked: Asked) -> Floats:
        queries = np.array([places[query] for query in asked.query_ids])
        return of_rows(asked.phases * problem.table.n_queries + queries)

    return NamedPolicy(_masked(chances), is_fitted=agent.protocol() == "pretrained")


def _masked(policy: Policy) -> Policy:
    return lambda asked: restrict(policy(asked), asked.mask)
