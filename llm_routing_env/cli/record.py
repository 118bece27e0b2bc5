"""`pickllm record` and `pickllm embed`: make an outcome table, and the embeddings beside it."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from llm_routing_env.backends import make_backend
from llm_routing_env.embedding_cache import encode_cached
from llm_routing_env.encoders import embeddings_path, write_embeddings
from llm_routing_env.outcomes import OutcomeTable
from llm_routing_env.pool import load_pool
from llm_routing_env.queries import QuerySet


def record(
    pool: Annotated[str, typer.Argument(help="Shipped pool's name, or a pool's TOML file.")],
    queries: Annotated[Path, typer.Argument(help="JSON lines: query_id, context, split, prompt, references.")],
    out: Annotated[Path, typer.Argument(help="Outcome table to write (parquet).")],
    backend: Annotated[str, typer.Option(help="vllm (servers of `pickllm serve`) or vllm-inprocess.")] = "vllm",
    repeats: Annotated[int, typer.Option(help="How often each query is asked of each LLM.")] = 3,
    concurrency: Annotated[int, typer.Option(help="Requests in flight; latency is recorded under this load.")] = 1,
    scorers: Annotated[str, typer.Option(help="Scores to record, the table's own first.")] = "final_answer,token_f1",
    max_usd: Annotated[float | None, typer.Option(help="Stop before the cost could exceed this.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the journal of an interrupted run.")] = False,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="With --resume: ask failed ones again.")] = False,
) -> None:
    """Ask every LLM of a pool every query and write the outcome table; every outcome is journalled at once."""
    from llm_routing_env.recording import record as run

    specs, asked_queries = load_pool(pool), QuerySet.read(queries)
    console = Console()
    with closing(make_backend(backend, specs)) as asked, _progress(console) as progress:
        bar = progress.add_task("recording", total=None)

        def show(done: int, total: int, spent_usd: float) -> None:
            progress.update(bar, completed=done, total=total, description=f"recording, ${spent_usd:.4f}")

        result = run(
            specs,
            asked_queries,
            out,
            backend=asked,
            repeats=repeats,
            concurrency=concurrency,
            scorers=scorers.split(","),
            max_usd=max_usd,
            resume=resume,
            retry_errors=retry_errors,
            on_progress=show,
        )
    counts = f"{result.n_recorded} of {result.n_total} outcomes, {result.n_failed} failed"
    console.print(f"{counts}, ${result.spent_usd:.4f}")
    if result.table is None:
        console.print(f"Stopped by --max-usd; kept in {result.journal}. Go on with --resume and a higher --max-usd.")
        raise typer.Exit(1)
    console.print(f"wrote {out} (sha256 {result.table.sha256[:12]}…); next: pickllm embed {out}", highlight=False)


def embed(
    table: Annotated[Path, typer.Argument(help="Outcome table (parquet).")],
    model: Annotated[str, typer.Option(help="Any sentence-transformers model: Hugging Face id or folder.")] = (
        "all-MiniLM-L6-v2"
    ),
) -> None:
    """Compute the query embeddings of an outcome table, beside it, for the observations that need them."""
    write_table_embeddings(OutcomeTable.read(table), table, model, Console())


def write_table_embeddings(outcomes: OutcomeTable, table: Path, model: str, console: Console) -> None:
    """Write the embeddings of a table that lies at the path `table`; those computed before come from a cache."""
    with _progress(console) as progress:
        bar = progress.add_task("embedding", total=None)
        vectors = encode_cached(
            [query.prompt for query in outcomes.queries],
            model,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    path = embeddings_path(table)
    write_embeddings(path, outcomes.queries, vectors, model)
    console.print(
        f"wrote {path}: {len(vectors)} queries, {vectors.shape[1]} dimensions", highlight=False, soft_wrap=True
    )


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
