"""Who is to be compared, as people write it: "ucb1", "wide=ucb1", "ucb1@lifelong", "my_module:MyAgent", a file."""

from collections.abc import Mapping, Sequence
from typing import Any

from llm_routing_env.agents import AGENTS, ASKING_AGENTS, agent_class
from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.evaluation.asking import AskingContestant, FittedAskingContestant
from llm_routing_env.evaluation.contestants import AgentContestant, Contestant
from llm_routing_env.evaluation.judging import POOLED, RANDOM
from llm_routing_env.evaluation.lifelong import LifelongContestant
from llm_routing_env.evaluation.logged import LoggedContestant
from llm_routing_env.evaluation.protocols import require_offered
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE
from llm_routing_env.evaluation.router import SUFFIX
from llm_routing_env.evaluation.routers import router_contestant
from llm_routing_env.evaluation.sb3 import SB3_ALGORITHMS, is_sb3, sb3_contestants
from llm_routing_env.evaluation.setting import ASKING
from llm_routing_env.tables.queries import is_name


def contestants(agents: Sequence[str], parameters: Mapping[str, Mapping[str, Any]]) -> list[Contestant]:
    """Return who takes part; see `compare` for the names.

    Raises:
        ValueError: For an unknown agent, or a name that stands for two of them.
    """
    unknown = set(parameters) - {row_name(entry) for entry in agents}
    if unknown:
        raise unknown_name("agent with parameters", min(unknown), [row_name(entry) for entry in agents])
    found: list[Contestant] = []
    for entry in agents:
        row, agent = row_name(entry), entry.rpartition("=")[2].strip()
        if row != agent:
            _require_free(row)
        given, named = parameters.get(row, {}), row if row != agent else ""
        found += sb3_contestants(agent, given, named) if is_sb3(agent) else [_agent_contestant(agent, given, row)]
    names = [contestant.name for contestant in found]
    for name in names:
        sb3 = name.partition(" (")[0]
        if names.count(name) > 1 and sb3 != name:
            raise ValueError(f"{name!r} is named twice: {sb3} stands for {sb3}@online and {sb3}@pretrained.")
        if names.count(name) > 1:
            raise ValueError(
                f"{name!r} is named twice. To compare an agent with itself, name each one: first={name},second={name}."
            )
    if not found:
        raise ValueError("no agent is named: give one or more, for example learning_automaton.")
    return found


def _agent_contestant(entry: str, given: Mapping[str, Any], row: str) -> AgentContestant:
    """Return an agent under the protocol that stands behind its name, or else under its usual one."""
    agent, at, protocol = entry.partition("@")
    if agent.endswith(SUFFIX):
        return router_contestant(agent, protocol, given, row)
    found = agent_class(agent)
    usual, kinds = AgentContestant, {"lifelong": LifelongContestant, "logged": LoggedContestant}
    if found.environment == ASKING:
        usual, kinds = AskingContestant, {"pretrained": FittedAskingContestant}
    if not at:
        return usual(agent, given, name=row)
    require_offered(agent, protocol, found.protocols())
    return kinds.get(protocol, usual)(agent, given, name=row)


def _require_free(row: str) -> None:
    """Raise ValueError for a name that is somebody else's, or none."""
    taken = (*AGENTS, *ASKING_AGENTS, *SB3_ALGORITHMS, CHOSEN_FIXED, BEST_FIXED, CONTEXT_BEST, ORACLE, RANDOM, POOLED)
    plain = " ".join(row.split()).casefold()
    is_taken = plain in {name.casefold() for name in taken} or plain.startswith("always ")
    if is_taken or not plain or not is_name(row) or any(mark in row for mark in ("@", ":", "(online)", "(pretrained)")):
        raise ValueError(f"An agent cannot be called {row!r}: that is the name of another row, or no name.")


def row_name(entry: str) -> str:
    """Return the name given to an agent, "b1" of "b1=learning_automaton", or else its own."""
    given, _, agent = entry.rpartition("=")
    return (given or agent).strip()
