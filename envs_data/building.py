"""What the builders of the shipped tables share: a pool is served and recorded, and its queries are embedded."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llm_routing_env.observations.embedding_file import embeddings_path, write_embeddings
from llm_routing_env.observations.embedding_model import Vectors, encode
from llm_routing_env.observations.response_embeddings import (
    different_responses,
    response_embeddings_path,
    write_response_embeddings,
)
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable

SCORERS = ("final_answer", "exact_match", "token_f1", "cosine")
ENCODER = "all-MiniLM-L6-v2"
STEPS = 512  # of a component: the file is a third smaller for it, and cosines change by less than 0.005


def record_outcomes(
    folder: Path, *, repeats: int, loads: Sequence[int] = (1, 4, 16, 64), n_requests: int = 256
) -> None:
    """Serve the pool of a folder with vLLM and write ``outcomes.parquet``: every query on every LLM, one at a time.

    One that was interrupted goes on. The table also gets the LLMs' latency under load, and how busy the machine was:
    the mean of its load average while outcomes came in, about 2, of server and client, where nothing else ran.

    Args:
        folder: Holds ``pool.toml`` and ``queries.jsonl``.
        repeats: How often each query is asked.
        loads: Requests in flight at which latency under load is measured.
        n_requests: How many count at each of them.
    """
    from llm_routing_env.backends import make_backend
    from llm_routing_env.recording import record
    from llm_routing_env.recording.under_load import measure_load
    from llm_routing_env.serving import serve

    pool = load_pool(folder / "pool.toml")
    queries = QuerySet.read(folder / "queries.jsonl")
    new = folder / "recorded.parquet"  # the old table stays until the new one is whole
    columns = (TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with serve(pool), Progress(*columns) as progress:
        busy = [os.getloadavg()[0]]
        bar = progress.add_task("recording")

        def on_progress(done: int, total: int, spent_usd: float) -> None:
            progress.update(bar, completed=done, total=total)
            busy.append(os.getloadavg()[0])

        result = record(
            pool,
            queries,
            new,
            repeats=repeats,
            resume=True,
            retry_errors=True,
            scorers=SCORERS,
            on_progress=on_progress,
        )
        if result.table is None:
            why = result.stopped or f"{result.n_failed} failed"
            raise SystemExit(f"{result.n_recorded} of {result.n_total} outcomes: {why}. Run it again to go on.")
        measured = {"load_average": round(float(np.mean(busy)), 1)}
        with closing(make_backend("vllm", pool)) as backend:
            curve = measure_load(pool, result.table, backend=backend, concurrency=loads, n_requests=n_requests)
            in_tenths_of_ms(pq.read_table(new)).with_metadata(measured | {"load_curve": curve}).write(new)
    new.replace(folder / "outcomes.parquet")
    result.journal.unlink()


def in_tenths_of_ms(rows: pa.Table) -> OutcomeTable:
    """Return the table of a recording's rows, with waits and first tokens rounded; nano's file is a third smaller."""
    for name in ("ttft_s", "wait_s"):
        rows = rows.set_column(rows.column_names.index(name), name, pc.round(rows[name], 4))
    return OutcomeTable(rows)


def embed_queries(folder: Path) -> None:
    """Write the embeddings of the queries beside the outcome table of a folder."""
    table = OutcomeTable.read(folder / "outcomes.parquet")
    vectors = _rounded(encode([query.prompt for query in table.queries], ENCODER, progress=True))
    write_embeddings(embeddings_path(folder / "outcomes.parquet"), table.queries, vectors, ENCODER)


def embed_responses(folder: Path) -> None:
    """Write the embeddings of the responses beside the outcome table of a folder."""
    responses, _ = different_responses(OutcomeTable.read(folder / "outcomes.parquet"))
    path = response_embeddings_path(folder / "outcomes.parquet")
    write_response_embeddings(path, responses, _rounded(encode(responses, ENCODER, progress=True)), ENCODER)


def _rounded(vectors: Vectors) -> Vectors:
    return np.asarray(np.round(vectors * STEPS) / STEPS, dtype=np.float32)
