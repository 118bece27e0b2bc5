"""Importing what this package wrote itself: chats, failed calls, and what else is known of a call, are kept."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imports import imported
from tables import records

from llm_routing_env.importing import Imported
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

CHAT = (("system", "Be brief."), ("user", "Why?"))
QUERIES = QuerySet(
    [
        Query("q0", "art", "train", "Why?", ("so",), CHAT),
        Query("q1", "art", "test", "Who?", ("me", "I")),
    ]
)
LATE = {"error": "late", "response": "", "accuracy_exact_match": 0.0, "finish_reason": None, "ttft_s": None}
CUT = {"finish_reason": "length", "reasoning_tokens": 3}


def recorded() -> OutcomeTable:
    """Return two queries, the first a chat, on two LLMs: `b` failed on the first, `a` was cut on the second."""
    every = {"error": None, "finish_reason": "stop", "ttft_s": 0.05, "n_attempts": 1, "wait_s": 0.25}
    scores = np.ones((2, 2, 1))
    rows = [row | every | {"reasoning_tokens": 0} for row in records(QUERIES, ["a", "b"], scores, 0.1, 0.2)]
    rows[1] |= LATE
    rows[2] |= CUT
    return OutcomeTable.from_records(QUERIES, ["a", "b"], rows, {})


def save(path: Path) -> Path:
    """Write the rows of the recorded table as a table, or as an export does."""
    recorded().write(path.with_suffix(".parquet"))
    rows = pq.read_table(path.with_suffix(".parquet")).to_pylist()
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if path.suffix == ".csv":
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(row | {"references": row["references"][0]} for row in rows)
    return path


def taken(path: Path, **names: str) -> Imported:
    return imported(path, {"accuracy": "accuracy_exact_match"} | names)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_chats_failed_calls_and_what_is_known_of_a_call_are_kept(tmp_path: Path, suffix: str):
    taken(save(tmp_path / f"t{suffix}"), split="split").table.write(tmp_path / "out.parquet")
    table = OutcomeTable.read(tmp_path / "out.parquet")
    assert [query.messages for query in table.queries] == [CHAT, ()]
    assert [query.prompt for query in table.queries] == ["Why?", "Who?"]
    assert table.failed[:, :, 0].tolist() == [[False, True], [False, False]]
    assert table.texts("error")[:, :, 0].tolist() == [[None, "late"], [None, None]]
    assert table.cut is not None
    assert table.cut[:, :, 0].tolist() == [[False, False], [True, False]]
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["ttft_s"] for row in rows] == [0.05, None, 0.05, 0.05]
    assert [row["reasoning_tokens"] for row in rows] == [0, 0, 3, 0]
    assert [(row["n_attempts"], row["wait_s"]) for row in rows] == [(1, 0.25)] * 4
    assert "cached_tokens" not in table.columns


def test_a_table_comes_back_as_it_was(tmp_path: Path):
    path = save(tmp_path / "t.parquet")
    again = taken(path, split="split").table
    assert again.queries.sha256 == QUERIES.sha256
    assert (again.failed == OutcomeTable.read(path).failed).all()


def test_columns_that_are_not_read_are_named(tmp_path: Path):
    rows = pq.read_table(save(tmp_path / "t.parquet"))
    pq.write_table(rows.append_column("mood", pa.array(["good"] * 4)), tmp_path / "t.parquet")
    assert taken(tmp_path / "t.parquet").not_read == ("split", "mood")
    assert taken(tmp_path / "t.parquet", split="split").not_read == ("mood",)


def test_chats_in_prompts_count_where_a_column_of_messages_is_empty(tmp_path: Path):
    cells: dict[str, Any] = {"query_id": "q", "context": "art", "accuracy_exact_match": 1.0, "messages": None}
    prompt = [{"role": role, "content": content} for role, content in CHAT]
    lines = [cells | {"llm": llm, "prompt": prompt} for llm in ("a", "b")]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines))
    assert taken(tmp_path / "t.jsonl").table.queries[0].messages == CHAT


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"messages": "hello"}, r"column 'messages': expected chat messages \(expected messages as JSON"),
        ({"messages": '[{"role": "user", "content": "Where?"}]'}, "the last user message is not the prompt"),
        ({"finish_reason": True}, "column 'finish_reason': expected a text, found True"),
        ({"ttft_s": -1.0}, "column 'ttft_s': expected a finite number, 0 or more, found -1.0"),
    ],
)
def test_columns_of_these_names_that_mean_something_else_are_refused(
    tmp_path: Path, cells: dict[str, Any], message: str
):
    rows = recorded()._all_rows().to_pylist()
    rows[0] |= cells
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ValueError, match=rf"t.jsonl, row 0, .*{message}") as refusal:
        taken(tmp_path / "t.jsonl")
    assert str(refusal.value).endswith("; rename the column if it means something else.")
