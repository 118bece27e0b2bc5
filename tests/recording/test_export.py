"""`pickllm export journal`: what a journal holds, and that `import long` makes a table of it."""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer, faulty_server, pool_of
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.recording import record
from llm_routing_env.recording.export import export_journal
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

QUERIES = QuerySet(
    Query(f"q{n}", "art", "test" if n % 2 else "train", f"Question {n}?", ("Paris.",) if n else ("no",))
    for n in range(4)
)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


def recorded(server: FaultyServer, folder: Path, queries: QuerySet = QUERIES, **options: Any) -> Path:
    pool = pool_of(server.base_url, "good", "cut")
    return record(pool, queries, folder / "t.parquet", repeats=2, resume=True, **options).journal


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_an_export_with_its_queries_can_be_imported(server: FaultyServer, tmp_path: Path, suffix: str):
    journal, out, table = recorded(server, tmp_path), tmp_path / f"o{suffix}", tmp_path / "again.parquet"
    done = export_journal(journal, out, QUERIES)
    assert (done.n_rows, done.n_unmatched, done.n_damaged) == (16, 0, 0)
    imported = CliRunner().invoke(app, ["import", "long", str(out), str(table)])
    assert imported.exit_code == 0, imported.output
    again, first = OutcomeTable.read(table), OutcomeTable.read(tmp_path / "t.parquet")
    assert [query.references for query in again.queries] == [query.references for query in QUERIES]
    assert again.cost_usd.tolist() == first.cost_usd.tolist()
    right = again.accuracies[again.scorer]
    assert right[:, again.llm_names.index("good")].tolist() == [[0, 0]] + [[1, 1]] * 3
    assert not right[:, again.llm_names.index("cut")].any()


def test_an_answer_stays_with_the_prompt_that_it_was_given_to(server: FaultyServer, tmp_path: Path):
    recorded(server, tmp_path)
    changed = QuerySet([replace(QUERIES[0], prompt="Another question?"), *QUERIES[1:]])
    (tmp_path / "t.parquet").unlink()
    journal = recorded(server, tmp_path, changed)
    done = export_journal(journal, tmp_path / "o.jsonl", changed)
    assert (done.n_rows, done.n_unmatched) == (16, 4)
    everything = export_journal(journal, tmp_path / "all.jsonl")
    assert (everything.n_rows, everything.n_unmatched) == (20, 0)  # what was paid for is all there


def sealed(record: dict[str, Any]) -> bytes:
    body = json.dumps(record).encode()[:-1]
    return body + b', "crc32": %d}\n' % zlib.crc32(body)


def old_journal(path: Path, *more: bytes) -> Path:
    outcome = {"llm": "a", "repeat": 0, "prompt_tokens": 3, "completion_tokens": 1, "cost_usd": 0.1, "latency_s": 0.2}
    lines = [{"journal": 3, "queries_sha256": QUERIES.sha256}, {"asked": ["q1", "a", 0]}]
    lines += [{"query_id": "q1", **outcome, "response": said, "error": None} for said in ("no", "Paris.")]
    path.write_bytes(b"".join(map(sealed, lines)) + b"".join(more))
    return path


def test_a_journal_of_an_earlier_version_is_exported_too(tmp_path: Path):
    damaged = (
        b"x" + sealed({"query_id": "q2"}),
        sealed({"llm": "a", "response": "?"}),
        sealed({"response": 5}),
        b"{}\n",
    )
    journal = old_journal(tmp_path / "old.jsonl", *damaged)
    done = export_journal(journal, tmp_path / "o.jsonl", QUERIES)
    assert (done.n_rows, done.n_damaged) == (1, 4)
    (row,) = rows_of(tmp_path / "o.jsonl")
    assert (row["prompt"], row["response"], row["accuracy"]) == ("Question 1?", "Paris.", 1.0)  # the later line counts
    with pytest.raises(ValueError, match="was recorded with other queries"):
        export_journal(journal, tmp_path / "other.jsonl", QUERIES[:2])


def test_bad_arguments_are_one_line(server: FaultyServer, tmp_path: Path):
    with pytest.raises(ValueError, match=r"must end in \.csv or \.jsonl"):
        export_journal(old_journal(tmp_path / "old.jsonl"), tmp_path / "o.parquet")
    (tmp_path / "junk").write_bytes(b"junk" * 400)
    with pytest.raises(ValueError, match="is damaged, or no journal"):
        export_journal(tmp_path / "junk", tmp_path / "o.csv")


def test_nothing_that_is_there_is_replaced(server: FaultyServer, tmp_path: Path):
    journal = recorded(server, tmp_path)
    old, before = old_journal(tmp_path / "old.jsonl"), journal.read_bytes()
    (tmp_path / "link.csv").symlink_to(journal)
    for source, out in ((old, old), (journal, tmp_path / "link.csv"), (journal, tmp_path / "old.jsonl")):
        with pytest.raises(ValueError, match="is there already: move it away, or write another file"):
            export_journal(source, out)
    assert journal.read_bytes() == before
    assert export_journal(old, tmp_path / "o.csv").n_rows == 1


@pytest.mark.parametrize("kind", ["no bytes", "no tables"])
def test_what_holds_no_journal_is_refused_and_does_not_become_one(tmp_path: Path, kind: str):
    path = tmp_path / "empty.sqlite"
    path.touch()
    if kind == "no tables":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"empty\.sqlite is empty: there is no journal in it"):
        export_journal(path, tmp_path / "o.csv")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_queries_with_one_prompt_have_a_row_each(server: FaultyServer, tmp_path: Path):
    """They share an outcome, and differ in what they are scored against."""
    twins = QuerySet(
        Query(f"q{n}", context, "test", "Who?", (reference,))
        for n, (context, reference) in enumerate((("art", "Paris"), ("geography", "Rome"), ("art", "Paris")))
    )
    done = export_journal(recorded(server, tmp_path, twins), tmp_path / "o.jsonl", twins)
    assert (done.n_rows, done.n_unmatched) == (3 * 2 * 2, 0)
    rows = [row for row in rows_of(tmp_path / "o.jsonl") if row["llm"] == "good" and row["repeat"] == 0]
    assert [(row["query_id"], row["context"], row["accuracy"]) for row in rows] == [
        ("q0", "art", 1.0), ("q1", "geography", 0.0), ("q2", "art", 1.0),
    ]  # fmt: skip
