"""How a live comparison reaches its LLMs, and what it may spend on them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llm_routing_env.backends import MAX_IN_FLIGHT, Backend, make_backend
from llm_routing_env.backends.budget import Budget
from llm_routing_env.envs.live import make_live_backend, pool_name
from llm_routing_env.envs.options import NEEDS_LIVE, refuse_given
from llm_routing_env.pools.pool import Pool, load_pool
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

    def open(self, table: Table) -> Backend:
        """Return the backend, within the budget and with the journal of a block.

        Raises:
            ServingError: If the pool is not being served.
            ValueError: The journal is damaged, or of another pool.
        """
        if self.journal is not None:
            self.journal.parent.mkdir(parents=True, exist_ok=True)
        budget = self.budget or Budget()
        pool = self.pool_for(table)
        return make_live_backend(
            self.backend,
            pool,
            budget,
            self.journal,
            resume=True,
            max_in_flight=self.max_in_flight,
            retry_errors=True,  # who is resumed may have mended what failed
        )

    def require_served(self, table: Table) -> None:
        """Raise ServingError if the pool is not being served: that is no agent's failure."""
        make_backend(self.backend, self.pool_for(table), max_in_flight=self.max_in_flight).close()

    def charge_journals(self, folder: Path, table: Table) -> None:
        """Count what an interrupted comparison spent, all of it, before anything more is.

        Raises:
            ValueError: If a journal is damaged, or of another pool.
        """
        for path in sorted(folder.glob("*.sqlite")):
            replace(self, journal=path).open(table).close()


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
    if at_once < 1:
        raise ValueError(f"max_in_flight must be 1 or more, got {at_once}.")
    if engine == "ray":
        refuse_given(bounds, "holds within one process, and the ray engine has many: leave it out, or the engine")
        return LiveAccess(backend, pool, at_once)
    return LiveAccess(backend, pool, at_once, Budget(max_usd, max_requests))
