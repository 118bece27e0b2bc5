"""A log in memory: columns of equal length, one row per step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.logs.check import check_log, name_of_row
from llm_routing_env.tables.table import OutcomeTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Log:
    """Bandit feedback, one row per step, by agent, then session, then step; numbers that are not known are NaN.

    A log knows the outcome of the action that was taken only; a table, which knows every LLM's, is none.

    Attributes:
        metadata: What holds for every row: table, reward, scorer, split, ... (docs/logs.md).
        llm_names: The LLMs, in action order.
        agents: Who chose.
        agent: Index into `agents`, shape (rows,), like all that follow.
        contexts: The contexts, sorted, so that one number is the same context in every log that has the same ones.
        context: Index into `contexts`: of the query.
        query_ids: The ids of the queries that were routed.
        query: Index into `query_ids`.
        session: The session's number, of its agent: the same number is another agent's same session.
        step: Which query of the session it is, from 0.
        action: The LLM that was asked, index into `llm_names`.
        propensity: The probability with which that LLM was chosen, above 0; NaN where it was not told.
        reward: The reward as the agent was told it; NaN where none was given.
        accuracy: In [0, 1].
        cost_usd: In US dollars.
        latency_s: In seconds.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        failed: Whether the call failed.
        phase: Which phase of the scenario it was; 0 without one.
        mask: Whether each LLM could be asked, shape (rows, LLMs); None: all could, always.
        terms: The terms of the reward, by name.
        extra: Further columns of numbers, such as "regret", by name.
    """

    metadata: Mapping[str, Any]
    llm_names: tuple[str, ...]
    agents: tuple[str, ...]
    agent: Ints
    contexts: tuple[str, ...]
    context: Ints
    query_ids: tuple[str, ...]
    query: Ints
    session: Ints
    step: Ints
    action: Ints
    propensity: Floats
    reward: Floats
    accuracy: Floats
    cost_usd: Floats
    latency_s: Floats
    prompt_tokens: Floats
    completion_tokens: Floats
    failed: Mask
    phase: Ints
    mask: Mask | None = None
    terms: Mapping[str, Floats] = field(default_factory=dict)
    extra: Mapping[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check every row.

        Raises:
            ValueError: For a propensity of 0 or above 1, a masked action, steps that do not count from 0, ...
        """
        check_log(self)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.step)

    @property
    def n_llms(self) -> int:
        """How many LLMs there were to choose from."""
        return len(self.llm_names)

    @property
    def session_of_row(self) -> Ints:
        """The session of each row counted over all agents, from 0, shape (rows,): what to cluster by."""
        starts = np.append(True, (np.diff(self.session) != 0) | (np.diff(self.agent) != 0))[: len(self)]
        return np.asarray(np.cumsum(starts) - 1)

    def for_agent(self, name: str) -> "Log":
        """Return the rows of one agent.

        Raises:
            ValueError: It has none.
        """
        if name not in self.agents:
            raise unknown_name("agent in the log", name, self.agents)
        return self.rows(self.agent == self.agents.index(name))

    def rows(self, which: Mask) -> "Log":
        """Return some rows; sessions must stay whole, or lose what comes last.

        Args:
            which: Booleans, shape (rows,).
        """
        per_row = {f.name: getattr(self, f.name) for f in fields(self)}
        kept: dict[str, Any] = {n: each[which] for n, each in per_row.items() if isinstance(each, np.ndarray)}
        for name in ("terms", "extra"):
            kept[name] = {column: values[which] for column, values in per_row[name].items()}
        used, kept["agent"] = np.unique(kept["agent"], return_inverse=True)
        return replace(self, agents=tuple(self.agents[index] for index in used), **kept)

    def require_propensities(self) -> None:
        """Raise ValueError unless every row tells the probability of its action."""
        unknown = np.isnan(self.propensity)
        if unknown.any():
            silent = ", ".join(self.agents[index] for index in np.unique(self.agent[unknown]))
            raise ValueError(
                f"{int(unknown.sum())} of {len(self)} rows have no propensity, first {name_of_row(self, unknown)}: "
                f"{silent} did not tell with which probability it chose, so nothing can be weighed by it."
            )

    def require_table(self, table: OutcomeTable) -> Ints:
        """Return the row of each step's query in the table that it was logged on, shape (rows,).

        Raises:
            ValueError: The log is of another table, or of none.
        """
        own = self.metadata.get("table")
        if own is None:
            raise ValueError(f"The log is of no outcome table, so the table {table.name} tells nothing of it.")
        if own["sha256"] != table.sha256:
            raise ValueError(
                f"The log is of the table {own['name']} (sha256 {own['sha256'][:12]}…), "
                f"not of {table.name} (sha256 {table.sha256[:12]}…): give the table that it was logged on."
            )
        places = {query_id: row for row, query_id in enumerate(table.query_ids)}
        if lacking := [query_id for query_id in self.query_ids if query_id not in places]:
            raise ValueError(f"The log has the query {lacking[0]!r}, which the table {table.name} has not.")
        return np.array([places[query_id] for query_id in self.query_ids], dtype=np.int64)[self.query]
