"""Routers whose pool has grown: what they know of the LLMs of before stays, and the new ones are taken in."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llm_routing_env.agents import AGENTS, Agent, RoutingTask, agent_class
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.observations.observed import observe

if TYPE_CHECKING:
    from llm_routing_env.evaluation.router import Router


def old_task(router: Router, task: RoutingTask) -> RoutingTask:
    """Return the part of a task that is of the LLMs that a router knows.

    Raises:
        ValueError: If one of them is missing, or there are new ones and the agent takes in none.
    """
    known, there = tuple(router.header["llm_names"]), task.llm_names
    if known == there:
        return task
    if missing := [name for name in known if name not in there]:
        raise ValueError(
            f"{router.path} learned on the LLMs {', '.join(map(str, known))}; here there is no "
            f"{', '.join(map(str, missing))}, but {', '.join(there)}: train another."
        )
    if not hasattr(router.agent_class, "add_llm"):
        can = ", ".join(name for name in AGENTS if hasattr(agent_class(name), "add_llm"))
        raise ValueError(
            f"{router.path} learned on the LLMs {', '.join(known)}, not {', '.join(there)}, and its "
            f"{router.learned.agent} takes in no LLM: train another, or one that does ({can})."
        )
    places = [there.index(name) for name in known]
    return replace(
        task,
        n_actions=len(known),
        llm_names=known,
        expected_cost_usd=tuple(task.expected_cost_usd[place] for place in places),
        llms=tuple(task.llms[place] for place in places),
    )


def grown(agent: Agent, router: Router, task: RoutingTask, problem: RoutingProblem) -> Agent:
    """Return an agent with the LLMs of a task that are new to it.

    Who learns as it goes meets them as LLMs that it has not asked yet; who is fitted is shown their outcomes on the
    train split.
    """
    takes_in: Any = agent
    if agent.feedback != "full":
        larger: Agent = takes_in.add_llm(task)
        # With draws of its own: its generator does not go on where that of fewer LLMs stopped.
        return larger.copies(None, router.learned.queries)
    known = agent.task.llm_names
    if task.llm_names[: len(known)] != known:
        raise ValueError(
            f"{router.path}: its {router.learned.agent} takes in LLMs as the last ones, behind {', '.join(known)}; "
            f"here the order is {', '.join(task.llm_names)}."
        )
    old, new = router.learned.reward["cost_scale_usd"], problem.reward.cost_scale_usd
    if problem.reward.weights[1] and not math.isclose(old, new):
        raise ValueError(
            f"{router.path} learned rewards in which {old:.3g} $ are a cost of 1, and with the new LLM {new:.3g} $ "
            f"are: give cost_scale_usd={old!r} in Python, or train another."
        )
    train = problem.table.select(None, "train")
    table = replace(problem.training_table(agent), observations=observe(problem.table, agent.observation)[train])
    for place in range(len(known), task.n_actions):
        probes = table.part(llms=[place])
        takes_in.add_llm(task.llms[place], probes.part(queries=probes.has_cell[:, 0]))
    return agent
