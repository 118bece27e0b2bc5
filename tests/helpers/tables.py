"""Small outcome tables with known values, for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_routing_env.observations.embedding_file import embeddings_path, write_embeddings
from llm_routing_env.observations.response_embeddings import (
    different_responses,
    response_embeddings_path,
    write_response_embeddings,
)
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable


def records(
    queries: QuerySet, llms: Sequence[str], accuracy: Any, cost_usd: Any, latency_s: Any
) -> list[dict[str, Any]]:
    """Return one record per cell; the arrays are of shape (queries, LLMs, repeats) or broadcast to it."""
    shape = (
        len(queries),
        len(llms),
        np.broadcast_shapes(*(np.shape(a) for a in (accuracy, cost_usd, latency_s)))[-1],
    )
    grids = [np.broadcast_to(values, shape) for values in (accuracy, cost_usd, latency_s)]
    return [
        {
            "query_id": queries[cell[0]].query_id,
            "llm": llms[cell[1]],
            "repeat": cell[2],
            "response": f"answer {cell[1]}",
            "error": None,
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "cost_usd": float(grids[1][cell]),
            "latency_s": float(grids[2][cell]),
            "accuracy_exact_match": float(grids[0][cell]),
        }
        for cell in np.ndindex(shape)
    ]


def queries(per_context: int = 30, contexts: Sequence[str] = ("art", "biology", "chess")) -> QuerySet:
    """Return queries of which every third is of the train split."""
    return QuerySet(
        Query(
            f"{context}-{i}",
            context,
            "test" if i % 3 else "train",
            f"{context} question {i}?",
            (f"answer {i}",),
        )
        for context in contexts
        for i in range(per_context)
    )


def random_table(seed: int = 0, per_context: int = 30, n_llms: int = 4, n_repeats: int = 3) -> OutcomeTable:
    """Return a table of random outcomes."""
    return sparse_table(seed, per_context, n_llms, n_repeats, missing_share=0.0)


def sparse_table(
    seed: int = 0, per_context: int = 30, n_llms: int = 4, n_repeats: int = 3, *, missing_share: float = 0.3
) -> OutcomeTable:
    """Return a random table without about that share of its pairs; every query keeps an LLM, every LLM a query.

    What is left is what `random_table` has there.
    """
    rng = np.random.default_rng(seed)
    asked = queries(per_context)
    llms = [f"llm-{i}" for i in range(n_llms)]
    shape = (len(asked), n_llms, n_repeats)
    rows = records(
        asked,
        llms,
        rng.integers(0, 2, shape),
        rng.uniform(1e-6, 1e-4, shape),
        rng.uniform(0.005, 0.3, shape),
    )
    present = rng.uniform(size=shape[:2]) >= missing_share
    for query in range(len(asked)):
        present[query, query % n_llms] |= query < n_llms or not present[query].any()
    kept = [row for row, is_kept in zip(rows, np.repeat(present.ravel(), n_repeats), strict=True) if is_kept]
    return OutcomeTable.from_records(asked, llms, kept, {"pool": {"name": "random"}})


def write_random_table(folder: Path, seed: int = 0, **sizes: int) -> Path:
    """Write a random table with random embeddings and return its path."""
    return write_with_embeddings(random_table(seed, **sizes), folder / "random.parquet", seed)


def write_with_embeddings(table: OutcomeTable, path: Path, seed: int = 0) -> Path:
    """Write a table and, beside it, random embeddings of its queries and responses; return its path."""
    table.write(path)
    rng = np.random.default_rng(seed)
    texts = [text for text in different_responses(table)[0] if text]
    of_queries, of_responses = (_unit_rows(rng.normal(size=(n, 40))) for n in (table.n_queries, len(texts)))
    write_embeddings(embeddings_path(path), table.queries, of_queries, "random")
    write_response_embeddings(response_embeddings_path(path), texts, of_responses, "random")
    return path


def _unit_rows(vectors: Any) -> Any:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
