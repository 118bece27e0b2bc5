"""What a journal holds, as rows that anybody can read: also of journals that earlier versions wrote."""

import csv
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.backends.journal import Journal
from llm_routing_env.pools.provenance import request_digest
from llm_routing_env.rewards.scorers import get_scorer
from llm_routing_env.tables.queries import QuerySet, query_columns

FORMATS = (".csv", ".jsonl")
SCORER = "final_answer"
_CELL = ("query_id", "llm", "repeat")
_SEAL = b', "crc32": '
_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        n_rows: How many outcomes.
        n_unmatched: How many others are of none of the queries that were given: those are left out.
        n_damaged: How many are damaged: those too.
    """

    n_rows: int
    n_unmatched: int
    n_damaged: int


def export_journal(journal: Path, out: Path, queries: QuerySet | None = None) -> Exported:
    """Write a journal's outcomes as CSV or JSON lines; of those that were asked again, the last.

    Args:
        journal: The file, of this version (SQLite) or of an earlier one (JSON lines).
        out: Ends in .csv or .jsonl.
        queries: Those that were asked: their prompts, contexts, splits and references are written too, and an accuracy
            by `SCORER`, so that `pickllm import long` can make a table of it.

    Raises:
        ValueError: The file is no journal, empty, in use, or was recorded with other queries, or `out` is there.
    """
    if out.suffix not in FORMATS:
        raise ValueError(f"{out} must end in {' or '.join(FORMATS)}.")
    require_new(out)  # it may be the journal itself, which is worth money
    with open(journal, "rb") as file:
        is_old = file.read(11) == b'{"journal":'
    rows, n_damaged = (_old_rows if is_old else _rows)(journal, queries)
    matched = [row for row in rows if queries is None or "prompt" in row]
    if queries is not None:
        scores = get_scorer(SCORER)([row["response"] for row in matched], [row["references"] for row in matched])
        for row, score in zip(matched, scores, strict=True):
            row["accuracy"] = 0.0 if row["error"] is not None else float(score)
    _write(out, matched)
    return Exported(len(matched), len(rows) - len(matched), n_damaged)


def _rows(path: Path, queries: QuerySet | None) -> tuple[list[_Row], int]:
    with Journal(path, resume=True, must_exist=True) as journal:
        found = {(row["request"], row["repeat"]): row for row in journal.rows()}  # the last of each
        asked = {} if queries is None else _by_digest(journal, queries)
        rows = []
        for (digest, _), row in found.items():
            del row["request"]
            # The query's name is today's, whatever it was when it was asked; those with one prompt share an outcome.
            rows += [{**cells, **row, "query_id": cells["query_id"]} for cells in asked.get(digest, [row])]
        return rows, journal.n_damaged


def require_new(out: Path) -> None:
    """Raise ValueError for a file that is there already."""
    if out.exists():
        raise ValueError(f"{out} is there already: move it away, or write another file.")


def _by_digest(journal: Journal, queries: QuerySet) -> dict[bytes, list[_Row]]:
    """Return what is to be said of the queries, by what the journal calls their prompt to each of its LLMs."""
    found: dict[bytes, list[_Row]] = {}
    for llm, identity in journal.identities().items():
        for query, cells in zip(queries, query_columns(queries), strict=True):
            found.setdefault(request_digest(llm, identity, query.chat()), []).append(cells)
    return found


def _old_rows(path: Path, queries: QuerySet | None) -> tuple[list[_Row], int]:
    found: dict[tuple[Any, ...], _Row] = {}
    header, n_damaged = {}, 0
    for record in _old_records(path):
        if record is None:
            n_damaged += 1
        elif "journal" in record:
            header = record
        elif "response" in record:
            cell = tuple(record.get(name) for name in _CELL)
            if tuple(map(type, cell)) != (str, str, int) or type(record["response"]) is not str:
                n_damaged += 1
            else:
                found[cell] = {"error": None} | record
    if queries is not None and header.get("queries_sha256") != queries.sha256:
        raise ValueError(f"{path} was recorded with other queries: leave --queries out, or give those.")
    asked = {} if queries is None else {cells["query_id"]: cells for cells in query_columns(queries)}
    return [{**asked.get(row["query_id"], {}), **row} for row in found.values()], n_damaged


def _old_records(path: Path) -> Iterable[_Row | None]:
    with open(path, "rb") as lines:
        for line in lines:
            body, _, crc = line.rpartition(_SEAL)
            record = json.loads(body + b"}") if crc == b"%d}\n" % zlib.crc32(body) else None
            yield record if isinstance(record, dict) else None


def _write(out: Path, rows: list[_Row]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(out) as new, open(new, "w", encoding="utf-8", errors="replace", newline="") as file:
        if out.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            return
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(map(_flat, rows))


def _flat(row: Mapping[str, Any]) -> _Row:
    """Return a row of texts and numbers: of several references the first, the canonical one."""
    first = {"references": next(iter(row["references"]), "")} if "references" in row else {}
    return {**row, **first}
