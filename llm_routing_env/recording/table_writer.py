"""From the journal to the outcome table, a batch of queries at a time: no recording has to fit into memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from llm_routing_env.backends.journal import Journal
from llm_routing_env.pools.pool import LLMSpec
from llm_routing_env.rewards.scorers import Scorer
from llm_routing_env.tables.batches import BATCH_ROWS, written_batches
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.parts import open_parts
from llm_routing_env.tables.queries import QuerySet, query_columns
from llm_routing_env.tables.table import SCHEMA_VERSION

_TEXTS = ("response", "error", "finish_reason")
_COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "n_attempts")
_MEASURES = ("cost_usd", "latency_s", "ttft_s", "wait_s")


def write_table(
    out: Path,
    journal: Journal,
    queries: QuerySet,
    llms: Sequence[LLMSpec],
    digests: Sequence[Sequence[bytes]],
    repeats: int,
    scorers: Mapping[str, Scorer],
    metadata: Mapping[str, Any],
) -> None:
    """Write the outcomes that a journal has of every query, LLM and repeat.

    Costs are at today's prices, which the metadata names, also of outcomes that were recorded at others.

    Args:
        out: The parquet file, which is a folder of them where one cannot hold the rows.
        journal: Has them all.
        queries: The queries, in the table's order.
        llms: The LLMs, in action order.
        digests: For each query and LLM, what the journal calls it.
        repeats: Of each.
        scorers: Fill the columns `accuracy_<name>`.
        metadata: Facts about the recording; JSON-plain.

    Raises:
        ValueError: The journal lacks one.
        OSError: The file cannot be written.
    """
    document = {"schema_version": SCHEMA_VERSION, "llms": [llm.name for llm in llms], **metadata}
    asked = list(zip(query_columns(queries), digests, strict=True))
    schema = _schema("messages" in asked[0][0], scorers)
    per_batch = max(1, BATCH_ROWS // (len(llms) * repeats))
    with written_batches(out, document) as write:
        for begin in range(0, len(asked), per_batch):
            rows = list(_rows(journal, asked[begin : begin + per_batch], llms, repeats))
            for name, scorer in scorers.items():
                scores = scorer([row["response"] for row in rows], [row["references"] for row in rows])
                for row, score in zip(rows, scores, strict=True):
                    row[f"accuracy_{name}"] = 0.0 if row["error"] is not None else float(score)
            write(pa.Table.from_pylist(rows, schema=schema))


def join_files(parts: Sequence[Path], out: Path, facts: Mapping[str, Any]) -> None:
    """Write the parts of a table, one after another, as one file, or as few as can hold them; in batches.

    Args:
        parts: The files, in order.
        out: The file to write.
        facts: Metadata beside what all of them say.

    Raises:
        ValueError: They are no parts of one table; see `open_parts`.
    """
    files = open_parts(parts)
    document = json.loads(files[0].schema.metadata[b"pickllm"]) | dict(facts)
    with written_batches(out, document) as write:
        for file in files:
            for rows in file.batches(file.schema.names):
                write(rows)


def _schema(has_chats: bool, scorers: Mapping[str, Scorer]) -> pa.Schema:
    texts = ("query_id", "context", "split", "prompt", *(("messages",) if has_chats else ()), "llm", *_TEXTS)
    numbers = (*_MEASURES, *(f"accuracy_{name}" for name in scorers))
    return pa.schema(
        [(name, pa.string()) for name in texts]
        + [("references", pa.list_(pa.string()))]
        + [(name, pa.int64()) for name in ("repeat", *_COUNTS)]
        + [(name, pa.float64()) for name in numbers]
    )


def _rows(
    journal: Journal, asked: Sequence[tuple[Mapping[str, Any], Sequence[bytes]]], llms: Sequence[LLMSpec], repeats: int
) -> Iterator[dict[str, Any]]:
    outcomes = journal.outcomes_of([digest for _, row in asked for digest in row])
    for query, row in asked:
        for llm, digest in zip(llms, row, strict=True):
            for repeat in range(repeats):
                if (digest, repeat) not in outcomes:
                    raise ValueError(
                        f"{journal.path} has no sound outcome of query {query['query_id']!r} on {llm.name!r}, repeat "
                        f"{repeat}: go on with --resume (resume=True), which asks it again."
                    )
                outcome = outcomes[digest, repeat]
                known = {name: getattr(outcome, name) for name in (*_TEXTS, *_COUNTS, *_MEASURES)}
                if outcome.error is None:
                    known["cost_usd"] = _cost_usd(llm, outcome)
                yield {**query, "llm": llm.name, "repeat": repeat, **known}


def _cost_usd(llm: LLMSpec, outcome: Outcome) -> float:
    tokens = (outcome.prompt_tokens, outcome.completion_tokens)
    return llm.cost_usd(*tokens, outcome.latency_s, cached_tokens=outcome.cached_tokens)
