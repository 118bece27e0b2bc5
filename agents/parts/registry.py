"""Finds agents by name, registered or anyone's, and makes them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, overload

from llm_routing_env.agents import AGENTS, ASKING_AGENTS
from llm_routing_env.agents.parts.adapting import adapt
from llm_routing_env.agents.parts.agent import Agent
from llm_routing_env.agents.parts.ask_view import seen_of_asks
from llm_routing_env.agents.parts.checks import require_vector
from llm_routing_env.agents.parts.lifting import LiftedAgent, handles_batches
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.agents.parts.plug_ins import load
from llm_routing_env.agents.parts.single import SingleAgent
from llm_routing_env.agents.parts.task import NO_VECTORS, WITH_PREFERENCE, RoutingTask

FEEDBACKS = ("bandit", "full", "none")
_GIVEN = ("seed", "n_sessions", "task", "lifted")  # to `make_agent`, by whoever lets an agent route


def agent_class(name: str) -> type[Agent]:
    """Return the class of a registered agent, or of anyone's agent named ``my_package.my_module:MyAgent``.

    A class with ``select_action(observation)`` and ``update(observation, action, reward)`` that is no subclass of
    `Agent` comes back as one, for a single session; its constructor takes the task, and a seed if it wants one.

    Raises:
        ValueError: If there is no such agent, or it is neither.
    """
    registered = AGENTS | ASKING_AGENTS
    if name not in registered and ":" not in name:
        raise unknown_name("agent", name, registered, "Your own agent: my_package.my_module:MyAgent.")
    found = load("agent", registered.get(name, name))
    feedback = getattr(found, "feedback", "bandit")
    if feedback not in FEEDBACKS:
        raise unknown_name(f"feedback of {name}", feedback, FEEDBACKS)
    if isinstance(found, type) and issubclass(found, Agent):
        return found
    if isinstance(found, type) and all(
        callable(getattr(found, method, None)) for method in ("select_action", "update")
    ):
        return adapt(found)
    raise ValueError(
        f"Agent {name!r} must be a subclass of llm_routing_env.agents.Agent, or a class with "
        f"select_action(observation) and update(observation, action, reward); got {found!r}."
    )


@overload
def make_agent(
    name: str, task: RoutingTask, *, n_sessions: None = None, seed: int | None = None, lifted: bool = False, **more: Any
) -> SingleAgent: ...


@overload
def make_agent(
    name: str, task: RoutingTask, *, n_sessions: int | None, seed: int | None = None, lifted: bool = False, **more: Any
) -> Agent: ...


def make_agent(
    name: str,
    task: RoutingTask,
    *,
    n_sessions: int | None = None,
    seed: int | None = None,
    lifted: bool = False,
    **hyperparameters: Any,
) -> Agent:
    """Construct an agent; one that was written for a single session is lifted to a batch where asked for one.

    Args:
        name: A key of `AGENTS`, or ``my_package.my_module:MyAgent``.
        task: What the agent may know before it starts.
        n_sessions: Number of sessions to route at once; None for one, with scalars in and out.
        seed: Seed of the agent's own random generator.
        lifted: Whether a batch is to be one agent per session in any case, so that each can learn at its own time.
        **hyperparameters: The agent's own, see `describe_agents`. Agents that see a vector of numbers also take
            ``observation``: another one, such as "features", "context+embedding32" or ``my_module:my_function``.

    Raises:
        ValueError: If the agent or a hyperparameter is unknown, a value out of range, or the agent sees something else
            than the task's observations.
    """
    agent_type = agent_class(name)
    known = agent_type.hyperparameters()
    sees = None
    if "observation" not in known and agent_type.observation not in NO_VECTORS:
        sees = hyperparameters.pop("observation", None)
        require_vector(agent_type.__name__, sees)
    for given in hyperparameters:
        if given not in known:
            raise unknown_name(f"hyperparameter of {name}", given, known)

    def construct(**options: Any) -> Agent:
        try:
            agent = agent_type(task, **options, **hyperparameters)
        except TypeError as error:  # a text where a number belongs, for one
            raise ValueError(f"{name} cannot be made with {hyperparameters}: {error}.") from error
        agent.observation = sees or agent.observation
        _require_seen(name, agent.observation, task)
        return agent

    if handles_batches(agent_type) and not (lifted and n_sessions is not None):
        return construct(n_sessions=n_sessions, seed=seed)
    if n_sessions is None:
        return construct(seed=seed)
    return LiftedAgent(construct, task, n_sessions=n_sessions, seed=seed)


def require_hyperparameters(name: str, given: Mapping[str, Any], decides: str) -> None:
    """Raise ValueError for what is no hyperparameter of any agent, but given to each by who lets it route.

    Args:
        name: The agent's.
        given: What is meant for hyperparameters.
        decides: Whose it is to give, and by what: the end of the message.
    """
    for argument in given:
        if argument in _GIVEN:
            raise ValueError(f"{argument} of {name} is {decides}.")


def observation_of(name: str, hyperparameters: Mapping[str, Any]) -> str:
    """Return the kind of observation that an agent with these hyperparameters sees."""
    agent_type = agent_class(name)
    own = agent_type.hyperparameters().get("observation", agent_type.observation)
    return str(hyperparameters.get("observation", own))


def describe_agents() -> list[dict[str, Any]]:
    """Return name, protocol, feedback, observation, paper and default parameters of every registered agent.

    The paper is the first arXiv number that its module names; None where it names none.
    """
    described = []
    for name in AGENTS | ASKING_AGENTS:
        agent_type = agent_class(name)
        described.append(
            {
                "name": name,
                "protocol": agent_type.protocol(),
                "feedback": agent_type.feedback,
                "observation": agent_type.observation,
                "paper": _paper(agent_type),
                "parameters": agent_type.hyperparameters(),
            }
        )
    return described


def _paper(agent_type: type[Agent]) -> str | None:
    found = re.search(r"arXiv (\d{4}\.\d{4,5})", sys.modules[agent_type.__module__].__doc__ or "")
    return found.group(1) if found else None


def made_for(observation: str) -> str:
    """Return how the environment of an observation is made."""
    query, measures = seen_of_asks(observation)
    if query != observation:
        shown = f", measures={measures!r}" if measures else ""
        return f'gym.make("PickLLM-Multi-v0", observation={query!r}{shown})'
    if observation.endswith(WITH_PREFERENCE):
        query = observation.removesuffix(WITH_PREFERENCE)
        return f'gym.make("PickLLM-MO-v0", observation={query!r}, preference="dirichlet")'
    return f'gym.make("PickLLM-v0", observation={observation!r})'


def _require_seen(name: str, observation: str, task: RoutingTask) -> None:
    if observation == "none" or task.observation in (None, observation):
        return
    other = f", or the agent: observation={task.observation!r}" if observation not in NO_VECTORS else ""
    raise ValueError(
        f"{name} sees observation {observation!r}, but the environment gives {task.observation!r}. Make the "
        f"environment for it: {made_for(observation)}{other}."
    )
