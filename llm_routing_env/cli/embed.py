"""`pickllm embed`: the embeddings beside an outcome table."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from llm_routing_env.cli import options
from llm_routing_env.cli.progress import counted
from llm_routing_env.observations.embedding_cache import encode_cached
from llm_routing_env.observations.embedding_file import embeddings_path, write_embeddings
from llm_routing_env.observations.embedding_model import Vectors
from llm_routing_env.observations.response_embeddings import (
    different_responses,
    response_embeddings_path,
    write_response_embeddings,
)
from llm_routing_env.tables.shipped import shipped_tables
from llm_routing_env.tables.table import OutcomeTable
from llm_routing_env.terminal import Terminal


def embed(
    table: Annotated[Path, typer.Argument(help="Outcome table (parquet), or the name of one.")],
    model: Annotated[str, typer.Option(help="Any sentence-transformers model: Hugging Face id or folder.")] = (
        "all-MiniLM-L6-v2"
    ),
    responses: Annotated[
        bool, typer.Option("--responses", help="Embed the responses, for the scorers that need no reference.")
    ] = False,
    quiet: options.Quiet = False,
    as_json: options.AsJson = False,
) -> None:
    """Compute the embeddings of an outcome table's queries, or of its responses, beside it.

    Example: pickllm embed mine.parquet
    """
    if str(table) in shipped_tables():
        raise ValueError(f"The table {table} comes with its embeddings: give the path of a copy.")
    outcomes = OutcomeTable.read(table)
    console = Terminal(stderr=as_json, quiet=quiet)
    write = _write_response_embeddings if responses else write_table_embeddings
    document = write(outcomes, outcomes.path or table, model, console)
    if as_json:
        print(json.dumps(document, indent=2))


def write_table_embeddings(outcomes: OutcomeTable, table: Path, model: str, console: Terminal) -> dict[str, Any]:
    """Write the embeddings of a table that lies at the path `table`, and return what was written.

    Those computed before come from a cache.
    """
    vectors, path = _encode([query.prompt for query in outcomes.queries], model, console), embeddings_path(table)
    write_embeddings(path, outcomes.queries, vectors, model)
    return _said(console, path, model, vectors, "queries")


def _write_response_embeddings(outcomes: OutcomeTable, table: Path, model: str, console: Terminal) -> dict[str, Any]:
    texts, _ = different_responses(outcomes)
    vectors, path = _encode(texts, model, console), response_embeddings_path(table)
    write_response_embeddings(path, texts, vectors, model)
    return _said(console, path, model, vectors, "different responses")


def _encode(texts: Sequence[str], model: str, console: Terminal) -> Vectors:
    with counted(console) as progress:
        bar = progress.add_task("embedding", total=None)
        return encode_cached(
            texts, model, on_progress=lambda done, total: progress.update(bar, completed=done, total=total)
        )


def _said(console: Terminal, path: Path, model: str, vectors: Vectors, what: str) -> dict[str, Any]:
    count, size = vectors.shape
    console.print(f"wrote {path}: {count} {what}, {size} dimensions", markup=False, highlight=False, soft_wrap=True)
    return {"embeddings": str(path), "model": model, what: count, "dimensions": size}
