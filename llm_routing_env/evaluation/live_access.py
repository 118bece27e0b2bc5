"""How a live comparison reaches its LLMs, and what it may spend on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm_routing_env.backends import MAX_IN_FLIGHT, make_backend
from llm_routing_env.backends.budget import Budget
from llm_routing_env.envs.live import pool_name
from llm_routing_env.envs.options import NEEDS_LIVE, refuse_given
from llm_routing_env.pools.pool import Pool, load_pool
from llm_routing_env.recording.journal import Journal
from llm_routing_env.recording.journalled import JournalledBackend, charge_journal, open_journal, warn_if_torn
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable

Table = str | Path | OutcomeTable


@dataclass(frozen=True)
class LiveAccess:
    """A live backend, to be opened for each block of sessions.

    Attributes:
        backend: Its name.
        pool: Its pool's name or file; None: the table's.
        max_in_flight: Most requests at once.
        budget: What it may spend; decides no number, like the journal.
        journal: Where the outcomes of a block are kept, and taken from if they are there.
    """

    backend: str
    pool: str | None = None
    max_in_flight: int = MAX_IN_FLIGHT
    budget: Budget | None = field(default=None, compare=False)
    journal: Path | None = field(default=None, compare=False)

    def pool_for(self, table: Table) -> Pool:
        """Return the pool."""
        return load_pool(self.pool or pool_name(table))

    def open(self, table: Table) -> JournalledBackend:
        """Return the backend, within the budget and with the journal of a block.

        Raises:
            ServingError: If the pool is not being served.
        """
        pool, budget, journal = self.pool_for(table), self.budget or Budget(), None
        backend = make_backend(self.backend, pool, max_in_flight=self.max_in_flight, budget=budget)
        if self.journal is not None:
            self.journal.parent.mkdir(parents=True, exist_ok=True)
            journal = self._open_journal(self.journal, table)
        return JournalledBackend(backend, pool, budget, journal)

    def require_served(self, table: Table) -> None:
        """Raise ServingError if the pool is not being served: that is no agent's failure."""
        make_backend(self.backend, self.pool_for(table), max_in_flight=self.max_in_flight).close()

    def charge_journals(self, folder: Path, table: Table) -> None:
        """Count what an interrupted comparison spent, all of it, before anything more is.

        Raises:
            ValueError: If a journal is damaged, or of another pool or `max_in_flight`.
        """
        if self.budget is not None:
            for path in sorted(folder.glob("*.jsonl")):
                with self._open_journal(path, table) as journal:
                    warn_if_torn(journal, stacklevel=2)
                    charge_journal(self.budget, journal, self.pool_for(table), load_table(table).queries)

    def _open_journal(self, path: Path, table: Table) -> Journal:
        """Return the journal of a block, with what an interrupted comparison left in it."""
        # The table's hash, not that of its queries: tuning routes some of them.
        sha256 = load_table(table).sha256
        return open_journal(path, self.pool_for(table), sha256, concurrency=self.max_in_flight, resume=True)


def live_access(
    backend: str,
    pool: str | None,
    engine: str,
    *,
    max_usd: float | None = None,
    max_requests: int | None = None,
    max_in_flight: int | None = None,
) -> LiveAccess | None:
    """Return how the LLMs of a backend are reached; None for recorded outcomes.

    Raises:
        ValueError: For bounds that cannot be, or that nothing could hold.
    """
    bounds: Mapping[str, Any] = {"max_usd": max_usd, "max_requests": max_requests}
    if backend == "table":
        refuse_given({**bounds, "pool": pool, "max_in_flight": max_in_flight}, NEEDS_LIVE)
        return None
    at_once = MAX_IN_FLIGHT if max_in_flight is None else max_in_flight
    if engine == "ray":
        refuse_given(bounds, "holds within one process, and the ray engine has many: leave it out, or the engine")
        return LiveAccess(backend, pool, at_once)
    return LiveAccess(backend, pool, at_once, Budget(max_usd, max_requests))
