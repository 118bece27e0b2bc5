"""What a journal holds, as rows that anybody can read: also of journals that earlier versions wrote."""

import csv
import json
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.backends.journal import Journal
from llm_routing_env.rewards.scorers import get_scorer
from llm_routing_env.tables.queries import QuerySet, query_columns

FORMATS = (".csv", ".jsonl")
SCORER = "final_answer"
_CELL = ("query_id", "llm", "repeat")
_SEAL = b', "crc32": '


def export_journal(journal: Path, out: Path, queries: QuerySet | None = None) -> tuple[int, int]:
    """Write a journal's outcomes as CSV or JSON lines; of those that were asked again, the last.

    Args:
        journal: The file, of this version (SQLite) or of an earlier one (JSON lines).
        out: Ends in .csv or .jsonl.
        queries: Those that were asked: their prompts, contexts, splits and references are written too, and an accuracy
            by `SCORER`, so that `pickllm import long` can make a table of it.

    Returns:
        How many rows were written, and how many lines or rows of the journal were damaged and left out.

    Raises:
        ValueError: The file is no journal, in use, or has outcomes of queries that are not among `queries`.
    """
    if out.suffix not in FORMATS:
        raise ValueError(f"{out} must end in {' or '.join(FORMATS)}.")
    with open(journal, "rb") as file:
        is_old = file.read(11) == b'{"journal":'
    rows, n_damaged = _old_rows(journal) if is_old else _rows(journal)
    asked = {} if queries is None else {cells["query_id"]: cells for cells in query_columns(queries)}
    if queries is not None and (unknown := next((row for row in rows if row["query_id"] not in asked), None)):
        raise ValueError(
            f"{journal} has outcomes of the query {unknown['query_id']!r}, which is not among the queries."
        )
    _write(out, [{**asked.get(row["query_id"], {}), **row} for row in rows])
    return len(rows), n_damaged


def _rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    with Journal(path, resume=True) as journal:
        return _last_of_each(journal.rows()), journal.n_damaged


def _old_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    found, n_damaged = [], 0
    with open(path, "rb") as lines:
        for line in lines:
            body, _, crc = line.rpartition(_SEAL)
            if crc != b"%d}\n" % zlib.crc32(body):
                n_damaged += 1
                continue
            record = json.loads(body + b"}")
            if "response" in record:
                found.append(record)
    return _last_of_each(found), n_damaged


def _last_of_each(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({tuple(row[name] for name in _CELL): row for row in rows}.values())


def _score(rows: list[dict[str, Any]]) -> None:
    scores = get_scorer(SCORER)([row["response"] for row in rows], [row["references"] for row in rows])
    for row, score in zip(rows, scores, strict=True):
        row["accuracy"] = 0.0 if row["error"] is not None else float(score)


def _write(out: Path, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(out) as new, open(new, "w", encoding="utf-8", errors="replace", newline="") as file:
        if out.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(map(_flat, rows))


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if isinstance(value, list) else value for name, value in row.items()}
