"""Recording on a Ray cluster: each shard of the queries has a worker and a journal of its own; then they are merged."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

from llm_routing_env.backends.budget import Budget
from llm_routing_env.pools.pool import Pool
from llm_routing_env.ray_cluster import MAX_RETRIES, connect
from llm_routing_env.recording.plan import Recording
from llm_routing_env.recording.recorder import check_counts, load_notes, record
from llm_routing_env.recording.table_writer import join_files
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

POLL_S = 0.5
_Share = tuple[float | None, int | None]
"""A shard's `max_usd` and `max_requests`."""
_Ended = tuple[Recording, tuple[Path, int] | None]


def record_sharded(
    pool: Pool,
    queries: QuerySet,
    out: str | Path,
    *,
    backend: str = "vllm",
    address: str | None = None,
    shards: int | None = None,
    concurrency: int = 1,
    max_usd: float | None = None,
    max_requests: int | None = None,
    resume: bool = False,
    stream: bool = False,
    on_progress: Callable[[int, int, float], None] | None = None,
    **options: Any,
) -> Recording:
    """Record on a Ray cluster; what a lost worker had journalled is not asked again.

    The journals lie in the folder `<out>.shards`, which every machine must see, and the LLMs' endpoints must be
    reachable from every machine. `concurrency * shards` requests are in flight.

    Args:
        pool: The LLMs.
        queries: What to ask.
        out: The parquet file to write; a folder of them where one cannot hold the rows.
        backend: "vllm" or "vllm-inprocess"; each worker makes its own.
        address: Of the cluster; None starts one on this machine.
        shards: Into how many parts the queries are cut, one CPU each; None: as many as the cluster has CPUs.
        concurrency: Requests in flight of each shard.
        max_usd: Most US dollars; each shard gets its part by its number of queries, so that together they never
            exceed it.
        max_requests: Most requests; cut in the same way.
        resume: Go on with the shards' journals.
        stream: Whether responses are streamed, which measures the time to the first token.
        on_progress: Called with outcomes recorded, outcomes in total, and US dollars spent.
        **options: See `record`: repeats, scorers, retry_errors, allow_errors.

    Raises:
        ValueError: As `record`, for shards below 1, or a bound below 0.
        RuntimeError: If the cluster cannot be used.
    """
    if shards is not None and shards < 1:
        raise ValueError(f"shards must be 1 or more, got {shards}.")
    check_counts(concurrency=concurrency)
    Budget(max_usd, max_requests)  # for its complaints
    out = Path(out)
    if out.exists():
        raise ValueError(f"{out} exists: move it away, or record into another file.")
    folder = out.with_name(f"{out.name}.shards")
    if folder.exists() and not resume:
        raise ValueError(f"{folder} exists: a recording was begun. Go on with it by --resume.")
    ray = connect(address)
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    parts = _cut(queries, min(shards or int(ray.cluster_resources()["CPU"]), len(queries)))
    folder.mkdir(parents=True, exist_ok=True)
    # On this machine: one that is lost must not take the counter with it.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    counter = ray.remote(num_cpus=0, scheduling_strategy=here)(_Counter).remote(len(parts))
    task = ray.remote(num_cpus=1, max_retries=MAX_RETRIES)(_record_shard)
    running = [
        task.remote(
            counter,
            number,
            pool,
            part,
            # The number of shards is in the name: another cut of the queries cannot go on with these journals.
            folder.resolve() / f"{number:05d}-of-{len(parts):05d}.parquet",
            share,
            options | {"backend": backend, "concurrency": concurrency, "stream": stream},
        )
        for number, (part, share) in enumerate(zip(parts, _shares(parts, max_usd, max_requests), strict=True))
    ]
    _wait(ray, running, counter, on_progress or (lambda done, total, spent: None))
    return _merge(ray.get(running), queries, out, folder)


def _record_shard(
    counter: Any,
    number: int,
    pool: Pool,
    queries: QuerySet,
    out: Path,
    share: _Share,
    options: dict[str, Any],
) -> _Ended:
    """Return how a shard's recording ended, and where its table is if it is complete, with its concurrency."""
    if out.exists():  # finished before a resumed run, or before its worker was lost
        out.unlink()
    done = record(
        pool,
        queries,
        out,
        budget=Budget(*share),
        resume=True,
        on_progress=lambda done, total, spent: counter.note.remote(number, done, total, spent),
        **options,
    )
    # Tables are read from their files: those of all the shards may not fit into the memory of the one that merges them.
    if done.table is None:
        return done, None
    return replace(done, table=None), (out, done.table.metadata["concurrency"])


class _Counter:
    """How far each shard is; lives on the cluster."""

    def __init__(self, n_shards: int) -> None:
        self._states = [(0, 0, 0.0)] * n_shards

    def note(self, number: int, done: int, total: int, spent_usd: float) -> None:
        self._states[number] = (done, total, spent_usd)

    def total(self) -> tuple[int, int, float]:
        done, total, spent = zip(*self._states, strict=True)
        return sum(done), sum(total), sum(spent)


def _cut(queries: QuerySet, n_parts: int) -> list[QuerySet]:
    bounds = [round(part * len(queries) / n_parts) for part in range(n_parts + 1)]
    return [queries[low:high] for low, high in pairwise(bounds)]


def _shares(parts: Sequence[QuerySet], max_usd: float | None, max_requests: int | None) -> list[_Share]:
    """Cut the bounds by numbers of queries; whole requests, so that their shares add up to them all."""
    bounds = [0, *accumulate(len(part) for part in parts)]
    return [
        (
            None if max_usd is None else max_usd * (high - low) / bounds[-1],
            None if max_requests is None else max_requests * high // bounds[-1] - max_requests * low // bounds[-1],
        )
        for low, high in pairwise(bounds)
    ]


def _wait(ray: Any, running: Sequence[Any], counter: Any, on_progress: Callable[[int, int, float], None]) -> None:
    pending = list(running)
    while pending:
        _, pending = ray.wait(pending, num_returns=len(pending), timeout=POLL_S)
        on_progress(*ray.get(counter.total.remote()))


def _merge(ended: Sequence[_Ended], queries: QuerySet, out: Path, folder: Path) -> Recording:
    table, shards = None, [shard for shard, _ in ended]
    tables = [written for _, written in ended if written is not None]
    if len(tables) == len(shards):
        concurrency = _agree(tables) * len(tables)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {"queries_sha256": queries.sha256, "concurrency": concurrency, "recorded_at": now}
        join_files([path for path, _ in tables], out, facts)
        table = OutcomeTable.read(out)
    counts = {
        name: sum(getattr(shard, name) for shard in shards)
        for name in ("n_recorded", "n_total", "n_lost", "n_requests", "spent_usd")
    }
    failed: dict[str, tuple[int, str]] = {}
    for shard in shards:
        for llm, (n_failed, first) in shard.failed.items():
            before, error = failed.get(llm, (0, first))
            failed[llm] = (before + n_failed, error)
    stopped = "; ".join(dict.fromkeys(shard.stopped for shard in shards if shard.stopped))
    is_out = any(shard.is_out_of_budget for shard in shards)
    said = tuple(dict.fromkeys(line for shard in shards for line in shard.warnings))
    return Recording(table, folder, failed=failed, stopped=stopped, is_out_of_budget=is_out, warnings=said, **counts)


def _agree(tables: Sequence[tuple[Path, int]]) -> int:
    """Return the most requests that any shard had in flight, after all their tables say so: parts agree in it."""
    loads = sorted({load for _, load in tables})
    for path, load in tables:
        if load != loads[-1]:
            join_files([path], path, {"concurrency": loads[-1], **load_notes(loads)})
    return loads[-1]
