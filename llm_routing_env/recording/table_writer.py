"""From the journal to the outcome table, a batch of queries at a time: no recording has to fit into memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.backends.journal import Journal
from llm_routing_env.rewards.scorers import Scorer
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import SCHEMA_VERSION

ROWS_AT_ONCE = 8192
_TYPES = {
    "query_id": pa.string(),
    "context": pa.string(),
    "split": pa.string(),
    "prompt": pa.string(),
    "references": pa.list_(pa.string()),
    "messages": pa.string(),
    "llm": pa.string(),
    "repeat": pa.int64(),
    "response": pa.string(),
    "error": pa.string(),
    "finish_reason": pa.string(),
    "prompt_tokens": pa.int64(),
    "completion_tokens": pa.int64(),
    "cached_tokens": pa.int64(),
    "reasoning_tokens": pa.int64(),
    "n_attempts": pa.int64(),
}
_NUMBERS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "n_attempts")
_MEASURED = ("cost_usd", "latency_s", "ttft_s", "wait_s")


def write_table(
    out: Path,
    journal: Journal,
    queries: QuerySet,
    llm_names: Sequence[str],
    digests: Sequence[Sequence[bytes]],
    repeats: int,
    scorers: Mapping[str, Scorer],
    metadata: Mapping[str, Any],
) -> None:
    """Write the outcomes that a journal has of every query, LLM and repeat.

    Args:
        out: The parquet file.
        journal: Has them all.
        queries: The queries, in the table's order.
        llm_names: The LLMs, in action order.
        digests: For each query and LLM, what the journal calls it.
        repeats: Of each.
        scorers: Fill the columns `accuracy_<name>`.
        metadata: Facts about the recording; JSON-plain.

    Raises:
        ValueError: The journal lacks one.
        OSError: The file cannot be written.
    """
    document = {"schema_version": SCHEMA_VERSION, "llms": list(llm_names), **metadata}
    has_chats = any(query.messages for query in queries)
    names = [name for name in _TYPES if name != "messages" or has_chats]
    kinds = [(name, _TYPES[name]) for name in names] + [(name, pa.float64()) for name in _MEASURED]
    kinds += [(f"accuracy_{name}", pa.float64()) for name in scorers]
    schema = pa.schema(kinds, metadata={"pickllm": json.dumps(document)})
    per_batch = max(1, ROWS_AT_ONCE // (len(llm_names) * repeats))
    with replacing(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
        for begin in range(0, len(queries), per_batch):
            batch = range(begin, min(begin + per_batch, len(queries)))
            rows = list(_rows(journal, [(queries[q], digests[q]) for q in batch], llm_names, repeats))
            columns = {name: [row[name] for row in rows] for name in (*names, *_MEASURED)}
            for name, scorer in scorers.items():
                scores = scorer(columns["response"], [row["references"] for row in rows])
                failed = [row["error"] is not None for row in rows]
                columns[f"accuracy_{name}"] = [
                    0.0 if is_failed else float(score) for is_failed, score in zip(failed, scores, strict=True)
                ]
            file.write_table(pa.table(columns, schema=schema))


def join_files(parts: Sequence[Path], out: Path, facts: Mapping[str, Any]) -> None:
    """Write tables of the same LLMs, one after another, as one; a row group at a time.

    Args:
        parts: The tables' files, in order.
        out: The file to write.
        facts: Replace the metadata of the first one.
    """
    schema = pq.read_schema(parts[0])
    document = json.loads(schema.metadata[b"pickllm"]) | dict(facts)
    document.pop("cost_scale", None)  # is of all queries, not of the first file's
    schema = schema.with_metadata({"pickllm": json.dumps(document)})
    with replacing(out) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as file:
        for part in parts:
            with pq.ParquetFile(part) as rows:
                for group in range(rows.num_row_groups):
                    file.write_table(rows.read_row_group(group).replace_schema_metadata(schema.metadata))


def _rows(
    journal: Journal, asked: Sequence[tuple[Query, Sequence[bytes]]], llm_names: Sequence[str], repeats: int
) -> Iterator[dict[str, Any]]:
    outcomes = journal.outcomes_of([digest for _, row in asked for digest in row])
    for query, row in asked:
        of_query = {name: getattr(query, name) for name in ("query_id", "context", "split", "prompt")}
        of_query["references"] = list(query.references)
        of_query["messages"] = json.dumps(query.chat(), ensure_ascii=False) if query.messages else None
        for llm, digest in zip(llm_names, row, strict=True):
            for repeat in range(repeats):
                if (digest, repeat) not in outcomes:
                    raise ValueError(
                        f"{journal.path} has no sound outcome of query {query.query_id!r} on {llm!r}, repeat {repeat}: "
                        "go on with --resume (resume=True), which asks it again."
                    )
                outcome = outcomes[digest, repeat]
                of_outcome = {name: getattr(outcome, name) for name in (*_NUMBERS, *_MEASURED)}
                said = {name: getattr(outcome, name) for name in ("response", "error", "finish_reason")}
                yield {**of_query, "llm": llm, "repeat": repeat, **said, **of_outcome}
