"""What an agent saw at each row of a log, made again from the table's queries."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.logs.log import Log
from llm_routing_env.observations.observed import ARRAY, observe
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.shipped import named_tables
from llm_routing_env.tables.table import OutcomeTable

_WITHOUT_TABLE = ("context", "none")


@dataclass(frozen=True, eq=False)
class Observed:
    """Rows of one agent, and what it saw.

    Attributes:
        log: The rows.
        kind: The kind of observation.
        vectors: Of each query, shape (queries, size); for "prompt" the texts, shape (queries,).
        places: The query of each row, shape (rows,).
        table: The table of the queries; None where the log has none.
    """

    log: Log
    kind: str
    vectors: NDArray[Any]
    places: NDArray[np.int64]
    table: OutcomeTable | None


def observed(log: Log, agent: str | None = None, observation: str | None = None, table: str | None = None) -> Observed:
    """Return one agent's rows with what it saw.

    Args:
        log: The log.
        agent: Who; None: the only one.
        observation: The kind; None: what the agent saw.
        table: The table's name or path; None: the shipped one that the log names.

    Raises:
        ValueError: Several agents and none chosen, a table that is another one, or an observation that is not known.
    """
    if agent is None and len(log.agents) > 1:
        raise ValueError(f"The log has the agents {', '.join(log.agents)}: choose one with --agent.")
    rows = log.for_agent(log.agents[0] if agent is None else agent)
    own = log.metadata.get("table")
    if own is None:
        return _without_table(rows, observation or "context")
    told = log.metadata.get("agents", {}).get(rows.agents[0], log.metadata)
    kind = observation or told.get("observation") or "none"
    if kind == ARRAY:
        raise ValueError(
            "The observations were an array of the user's own, which no log keeps: name a kind with --observation."
        )
    if table is None and own["name"] not in named_tables():
        raise ValueError(f"The log is of the table {own['name']}: say where it lies with --table.")
    found = load_table(table or own["name"])
    return Observed(rows, kind, observe(found, kind), rows.require_table(found), found)


def _without_table(rows: Log, kind: str) -> Observed:
    if kind not in _WITHOUT_TABLE:
        raise unknown_name(
            "observation", kind, _WITHOUT_TABLE, "The log is of no outcome table, so these are all that it can tell."
        )
    if kind == "context":
        return Observed(rows, kind, np.eye(len(rows.contexts), dtype=np.float32), rows.context, None)
    return Observed(rows, kind, np.ones((1, 1), dtype=np.float32), np.zeros(len(rows), dtype=np.int64), None)
