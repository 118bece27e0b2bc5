"""`pickllm embed`: the embeddings beside an outcome table."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_routing_env.cli import options
from llm_routing_env.cli.progress import counted
from llm_routing_env.observations.embedding_cache import encode_cached
from llm_routing_env.observations.embedding_file import embeddings_path, write_embeddings
from llm_routing_env.tables.shipped import shipped_tables
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal


def embed(
    table: Annotated[Path, typer.Argument(help="Outcome table (parquet), or the name of one.")],
    model: Annotated[str, typer.Option(help="Any sentence-transformers model: Hugging Face id or folder.")] = (
        "all-MiniLM-L6-v2"
    ),
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Compute the query embeddings of an outcome table, beside it, for the observations that need them.

    Example: pickllm embed mine.parquet
    """
    if str(table) in shipped_tables():
        raise ValueError(f"The table {table} comes with its embeddings: give the path of a copy.")
    outcomes = OutcomeTable.read(table)
    console = Terminal(stderr=as_json, quiet=quiet)
    document = write_table_embeddings(outcomes, outcomes.path or table, model, console)
    if as_json:
        print(json.dumps(document, indent=2))


def write_table_embeddings(outcomes: OutcomeTable, table: Path, model: str, console: Terminal) -> dict[str, Any]:
    """Write the embeddings of a table that lies at the path `table`, and return what was written.

    Those computed before come from a cache.
    """
    with counted(console) as progress:
        bar = progress.add_task("embedding", total=None)
        vectors = encode_cached(
            [query.prompt for query in outcomes.queries],
            model,
            on_progress=lambda done, total: progress.update(bar, completed=done, total=total),
        )
    path = embeddings_path(table)
    write_embeddings(path, outcomes.queries, vectors, model)
    n_queries, size = vectors.shape
    said = f"wrote {path}: {n_queries} queries, {size} dimensions"
    console.print(said, markup=False, highlight=False, soft_wrap=True)
    return {"embeddings": str(path), "model": model, "queries": n_queries, "dimensions": size}
