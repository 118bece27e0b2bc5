"""What every agent of a comparison faces, and what a live one may spend."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_routing_env.agents.parts.generators import SessionSeeds
from llm_routing_env.backends import MAX_IN_FLIGHT, make_backend
from llm_routing_env.backends.budget import Budget
from llm_routing_env.envs.live import pool_name, refuse_given
from llm_routing_env.envs.live_vector import PickLLMLiveVectorEnv
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.envs.vector import PickLLMVectorEnv
from llm_routing_env.envs.vector_base import RoutingVectorEnv
from llm_routing_env.pools.pool import Pool, load_pool
from llm_routing_env.recording.journal import Journal
from llm_routing_env.recording.journalled import JournalledBackend, charge_journal, open_journal, warn_if_torn
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable


@dataclass(frozen=True)
class Setting:
    """What every agent of a comparison faces.

    Attributes:
        options: Arguments of `PickLLMEnv`: table, split, reward, weights, scorer, ...; the observation is the agent's.
        length: Queries per session at most.
        seed: Of the agents; sessions have seeds of their own.
        backend: "table", or a live backend.
        pool: The live backend's pool.
        propensities: Whether the probability of each action is logged.
        max_in_flight: Most requests of the live backend at once.
        budget: What the live backend may spend; decides no number, like the journal.
        journal: Where the live outcomes of a block are kept, and taken from if they are there.
    """

    options: Mapping[str, Any]
    length: int = 200
    seed: int = 0
    backend: str = "table"
    pool: str | None = None
    propensities: bool = False
    max_in_flight: int = MAX_IN_FLIGHT
    budget: Budget | None = field(default=None, compare=False)
    journal: Path | None = field(default=None, compare=False)

    @property
    def table(self) -> str | Path | OutcomeTable:
        """The outcome table."""
        table: str | Path | OutcomeTable = self.options.get("table", "nano")
        return table

    def vector_env(self, n_sessions: int, observation: str) -> RoutingVectorEnv:
        """Return an environment of so many sessions, with autoreset disabled and numbers in `info`."""
        options = {**self.options, "observation": observation}
        if self.backend == "table":
            return PickLLMVectorEnv(n_sessions, self.length, "DISABLED", info="numbers", **options)
        pool = self.live_pool()
        return PickLLMLiveVectorEnv(
            n_sessions, self.length, "DISABLED", backend=self.live_backend(), pool=pool, info="numbers", **options
        )

    def live_pool(self) -> Pool:
        """Return the live backend's pool."""
        return load_pool(self.pool or pool_name(self.table))

    def live_backend(self) -> JournalledBackend:
        """Return the live backend, within the budget and with the journal of a block.

        Raises:
            ServingError: If the live pool is not being served.
        """
        pool, budget, journal = self.live_pool(), self.budget or Budget(), None
        backend = make_backend(self.backend, pool, max_in_flight=self.max_in_flight, budget=budget)
        if self.journal is not None:
            self.journal.parent.mkdir(parents=True, exist_ok=True)
            journal = self.open_journal(self.journal)
        return JournalledBackend(backend, pool, budget, journal)

    def open_journal(self, path: Path) -> Journal:
        """Return the journal of a block, with what an interrupted comparison left in it."""
        # The table's hash, not that of its queries: tuning routes some of them.
        sha256 = load_table(self.table).sha256
        return open_journal(path, self.live_pool(), sha256, concurrency=self.max_in_flight, resume=True)

    def charge_journals(self, folder: Path) -> None:
        """Count what an interrupted comparison spent, all of it, before anything more is.

        Raises:
            ValueError: If a journal is damaged, or of another pool or `max_in_flight`.
        """
        if self.budget is not None:
            for path in sorted(folder.glob("*.jsonl")):
                with self.open_journal(path) as journal:
                    warn_if_torn(journal, stacklevel=2)
                    charge_journal(self.budget, journal, self.live_pool(), load_table(self.table).queries)

    def problem(self) -> RoutingProblem:
        """Return what is routed, without observations.

        Raises:
            ValueError: If the live LLMs are not the table's: nothing would be known of the references.
            ServingError: If the live pool is not being served.
        """
        options = {**self.options, "observation": "none"}
        if self.backend == "table":
            return RoutingProblem(**options)
        pool = self.live_pool()
        # A pool that nobody serves is no agent's failure.
        make_backend(self.backend, pool, max_in_flight=self.max_in_flight).close()
        problem = RoutingProblem(**options, pool=pool)
        if not problem.knows_truth:
            raise ValueError(
                f"The pool's LLMs are {', '.join(pool.llm_names)}, the table's {', '.join(problem.table.llm_names)}: "
                "agents are judged beside what the table knows, so record this pool first (`pickllm record`)."
            )
        return problem

    def agent_seed(self, agent: str, purpose: str) -> int:
        """Return the seed of an agent: hashed, so that it does not depend on which others are compared.

        Args:
            agent: Its name.
            purpose: What it is for.
        """
        return zlib.crc32(f"{self.seed}/{agent}/{purpose}".encode())

    def session_seeds(self, agent: str, contexts: Sequence[str], seeds: Sequence[int]) -> SessionSeeds:
        """Return the seeds of an agent's sessions: each one's own, so that it does not depend on the others.

        Args:
            agent: Its name.
            contexts: One per session.
            seeds: The environment's seed of each session.
        """
        sessions = zip(contexts, seeds, strict=True)
        each = (self.agent_seed(agent, f"{context}/{seed}") for context, seed in sessions)
        return SessionSeeds(self.agent_seed(agent, "common"), each)


def live_options(
    backend: str, engine: str, max_usd: float | None, max_requests: int | None, max_in_flight: int | None
) -> dict[str, Any]:
    """Return the arguments of a `Setting` for a live backend; none for recorded outcomes.

    Raises:
        ValueError: For bounds that cannot be, or that nothing could hold.
    """
    bounds = {"max_usd": max_usd, "max_requests": max_requests}
    if backend == "table":
        refuse_given(bounds | {"max_in_flight": max_in_flight}, "needs a live backend: recorded outcomes cost nothing")
        return {}
    options: dict[str, Any] = {} if max_in_flight is None else {"max_in_flight": max_in_flight}
    if engine == "ray":
        refuse_given(bounds, "holds within one process, and the ray engine has many: leave it out, or the engine")
        return options
    return options | {"budget": Budget(max_usd, max_requests)}
