"""Teaches an agent by what others did, as if it had chosen so itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.logged import LoggedData
from llm_routing_env.agents.parts.signatures import takes

if TYPE_CHECKING:
    from llm_routing_env.agents.parts.agent import Agent


def replay(agent: Agent, logs: Sequence[LoggedData]) -> None:
    """Update an agent with every row of a log, in order.

    Args:
        agent: Learns online.
        logs: One log, from which every session of the agent learns; or one for each session.

    Raises:
        ValueError: If there is another number of logs, or their lengths or sessions differ.
    """
    n_sessions = agent.n_sessions or 1
    if len(logs) not in (1, n_sessions):
        raise ValueError(f"{type(agent).__name__}: expected 1 log, or {n_sessions}, got {len(logs)}.")
    begins = logs[0].begins
    if not all(np.array_equal(begins, log.begins) for log in logs):
        raise ValueError(f"{type(agent).__name__}: logs of its sessions must be of one length, and begin alike.")
    told = [name for name in ("outcome", "probability") if takes(agent.update, name)]
    for row, starts in enumerate(begins.tolist()):
        if starts:
            agent.begin_session()
        _update(agent, logs, row, told)


def _update(agent: Agent, logs: Sequence[LoggedData], row: int, told: Sequence[str]) -> None:
    def at(arrays: Sequence[NDArray[Any]]) -> Any:
        values = np.array([array[row] for array in arrays])
        if agent.n_sessions is None:
            return values[0] if values[0].ndim else values[0].item()
        return np.repeat(values, agent.n_sessions, axis=0) if len(arrays) == 1 else values

    masks = [log.masks for log in logs if log.masks is not None]
    # Rules that wait for every LLM must know who could be asked.
    agent._allowed = agent._checked_mask(at(masks)) if len(masks) == len(logs) else None
    agent._is_next = False
    more = {
        "outcome": {name: at([log.outcomes[name] for log in logs]) for name in logs[0].outcomes},
        "probability": at([log.propensities for log in logs]),
    }
    seen, asked, earned = (at([getattr(log, name) for log in logs]) for name in ("observations", "actions", "rewards"))
    agent.update(seen, asked, earned, **{name: more[name] for name in told})
