"""Measures how the latency of each LLM of a pool grows with the requests it has at once."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.whole import require_whole
from llm_routing_env.backends.asker import Asker
from llm_routing_env.backends.base import Request
from llm_routing_env.pools.load_curve import MOST_IN_FLIGHT, check_loads, check_recorded_alone
from llm_routing_env.pools.pool import Pool
from llm_routing_env.pools.provenance import describe_hardware, describe_pool, serving_versions
from llm_routing_env.tables.queries import Query
from llm_routing_env.tables.table import OutcomeTable


def measure_load(
    pool: Pool,
    table: OutcomeTable,
    *,
    backend: Asker,
    concurrency: Sequence[int] = (1, 4, 16, 64),
    n_requests: int = 256,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Return the latency of every LLM at each concurrency: what a table's metadata has as "load_curve".

    One LLM at a time, the others idle. Every concurrency asks the same queries, after a round of them that does not
    count: an engine's first answers are slow, and what it then finds in a prefix cache is the same for all. A new
    request is sent whenever one is back; those that are back when there is none left to send do not count, since
    the load falls from then on.

    Args:
        pool: The LLMs; the table's.
        table: Gives the queries.
        backend: Answers them, with at least the highest concurrency in flight; the caller closes it.
        concurrency: Requests in flight, from 1, rising.
        n_requests: How many count for each LLM and concurrency: several times the highest, since of fewer those that
            are back first are the short answers.
        seed: Of the draw of queries, with replacement.
        on_progress: Called after each measured point with the points done and in total.

    Raises:
        ValueError: Bad arguments, or a table whose latencies contain load already.
        RuntimeError: A request failed; no more are sent.
    """
    check_measurement(pool, table, concurrency, n_requests, seed)
    draws = np.random.default_rng(seed).integers(table.n_queries, size=n_requests + concurrency[-1] - 1)
    queries, points = [table.queries[draw] for draw in draws], (concurrency[-1], *concurrency)
    llms: dict[str, dict[str, Any]] = {}
    for llm, name in enumerate(pool.llm_names):
        latencies_s = []
        for load in points:
            latencies_s.append(_latencies_s(backend, name, queries[: n_requests + load - 1], llm, load)[:n_requests])
            if on_progress is not None:
                on_progress(llm * len(points) + len(latencies_s), len(pool.llms) * len(points))
        llms[name] = _point(concurrency, latencies_s[1:])
    return {
        "llms": llms,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "pool": describe_pool(pool),
        "hardware": describe_hardware(),
        "versions": serving_versions(),
    }


def check_measurement(pool: Pool, table: OutcomeTable, concurrency: Sequence[int], n_requests: int, seed: int) -> None:
    """Check that a measurement can be made, before anything is sent; see `measure_load`.

    Raises:
        ValueError: Bad arguments, a table whose latencies contain load already, or an LLM that may not get so many
            requests at once.
    """
    check_recorded_alone(table)
    check_loads(concurrency)
    require_whole("seed", seed, 0)
    if not 1 <= n_requests <= MOST_IN_FLIGHT:
        raise ValueError(f"requests must be 1 to {MOST_IN_FLIGHT}, got {n_requests}.")
    if pool.llm_names != table.llm_names:
        raise ValueError(f"The pool has the LLMs {pool.llm_names}, the table {table.path} has {table.llm_names}.")
    for llm in pool.llms:
        if 0 < llm.max_in_flight < concurrency[-1]:
            raise ValueError(
                f"The LLM {llm.name!r} gets at most {llm.max_in_flight} requests at once by its max_in_flight: "
                f"it cannot be measured at a concurrency of {concurrency[-1]}."
            )
        for pace in ("requests_per_minute", "tokens_per_minute"):
            if getattr(llm, pace) > 0:
                raise ValueError(
                    f"The LLM {llm.name!r} has {pace}, so its requests are spaced and load cannot be measured: measure "
                    "it with a pool that has none."
                )


def _latencies_s(
    backend: Asker, name: str, queries: Sequence[Query], llm: int, concurrency: int
) -> NDArray[np.float64]:
    """Return the latencies of the queries in the order in which they came back."""
    latencies_s, requests = [], (Request(query, llm) for query in queries)
    with closing(backend.ask_many(requests, concurrency=concurrency)) as answers:
        for _, outcome in answers:
            if outcome.error is not None:
                raise RuntimeError(
                    f"A request to {name!r} failed with {concurrency} in flight, so nothing was kept: {outcome.error}"
                )
            latencies_s.append(outcome.latency_s)
    return np.array(latencies_s)


def _point(concurrency: Sequence[int], latencies_s: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    return {
        "concurrency": list(concurrency),
        "latency_s": [float(np.median(values)) for values in latencies_s],
        "p95_latency_s": [float(np.quantile(values, 0.95)) for values in latencies_s],
        "n_requests": len(latencies_s[0]),
    }
