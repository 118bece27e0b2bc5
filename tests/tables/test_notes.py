"""Notes of a table: failed calls, cut answers and queries without references, in one line each."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imports import imported
from tables import queries, random_table, records

from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

LLMS = ["a", "b", "c"]


def table_of(changes: dict[tuple[int, str], dict[str, Any]], n_queries: int = 8, **every: Any) -> OutcomeTable:
    """Return a table of one repeat, three LLMs, with changes to single cells (query, LLM)."""
    asked = queries(n_queries, ["art"])
    rows = [row | every for row in records(asked, LLMS, 1.0, 1e-5, np.full(1, 0.1))]
    for (query, llm), cells in changes.items():
        rows[query * len(LLMS) + LLMS.index(llm)] |= cells
    return OutcomeTable.from_records(asked, LLMS, rows, {})


def failed(error: str) -> dict[str, Any]:
    return {"error": error, "response": None, "accuracy_exact_match": 0.0}


def test_failed_calls_are_counted_per_llm_with_the_first_error():
    table = table_of({(2, "b"): failed("HTTP 500"), (5, "c"): failed("late"), (6, "c"): failed("HTTP 429")})
    assert table.notes == (
        "2 of the 8 calls of 'c' failed, the first with 'late'; 1 of the 8 calls of 'b' failed, the first with "
        "'HTTP 500'.",
    )


def test_no_more_than_ten_llms_are_listed_and_long_errors_are_cut():
    asked, llms = queries(1, ["art"]), [f"llm-{number}" for number in range(12)]
    rows = [row | failed("x" * 1000) for row in records(asked, llms, 1.0, 1e-5, np.full(1, 0.1))]
    (note,) = OutcomeTable.from_records(asked, llms, rows, {}).notes
    assert note.count("1 of the 1 calls of") == 10
    assert note.endswith("; ....")
    assert len(note) < 10 * 260


def test_failed_calls_that_were_cut_are_no_answers():
    cut = {"finish_reason": "length"}
    changes = {(0, "b"): cut | failed("late"), (1, "b"): cut, (2, "c"): cut | failed("late")}
    table = table_of(changes, finish_reason="stop")
    assert table.notes[0].startswith("14.3% of the answers of 'b' were cut")  # one of seven


def test_cut_answers_are_said_per_llm_as_shares_of_its_answers(tmp_path: Path):
    cut = {"finish_reason": "length"}
    changes = {(0, "b"): cut, (1, "b"): cut, (4, "c"): cut, (5, "c"): {"finish_reason": None} | failed("late")}
    table = table_of(changes, finish_reason="stop")
    expected = (
        "25.0% of the answers of 'b', 14.3% of the answers of 'c' were cut at max_tokens (finish_reason length): a "
        "final answer that would have followed is lost."
    )
    assert expected in table.notes
    table.write(tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet")
    pq.write_table(rows, tmp_path / "t.parquet", row_group_size=5)
    assert expected in OutcomeTable.read(tmp_path / "t.parquet").notes
    codes = rows.set_column(rows.column_names.index("finish_reason"), "finish_reason", rows[-1].dictionary_encode())
    assert rows.column_names[-1] == "finish_reason"
    pq.write_table(codes, tmp_path / "t.parquet")
    assert expected in OutcomeTable.read(tmp_path / "t.parquet").notes


def test_nothing_is_said_of_answers_that_stopped_by_themselves_or_of_a_table_without_reasons():
    assert table_of({}, finish_reason="stop").notes == ()
    assert table_of({}, finish_reason=None).notes == ()
    assert random_table().cut is None


def test_what_else_is_known_of_an_outcome_stays_with_it(tmp_path: Path):
    known = {"ttft_s": 0.1, "n_attempts": 2, "wait_s": 0.5, "cached_tokens": 3, "reasoning_tokens": 1}
    table = table_of({(0, "a"): {"n_attempts": 7}}, finish_reason="stop", **known)
    table.write(tmp_path / "t.parquet")
    part = OutcomeTable.read(tmp_path / "t.parquet").resplit(np.arange(4), np.ones(4, dtype=bool))
    rest = OutcomeTable.read(tmp_path / "t.parquet").resplit(np.arange(4, 8), np.zeros(4, dtype=bool))
    OutcomeTable.concatenate([part, rest], {}).write(tmp_path / "u.parquet")
    for name in ("t", "u"):
        rows = pq.read_table(tmp_path / f"{name}.parquet")
        assert rows["n_attempts"].to_pylist() == [7, *[2] * 23]
        assert {column: rows[column][23].as_py() for column in known} == known
        assert set(rows["finish_reason"].to_pylist()) == {"stop"}


@pytest.mark.parametrize(
    ("column", "cell", "kind"),
    [("cached_tokens", "3", "numeric"), ("wait_s", "x", "numeric"), ("finish_reason", 1, "text")],
)
def test_columns_of_another_type_are_refused(column: str, cell: Any, kind: str):
    with pytest.raises(ValueError, match=f"column '{column}' must be {kind}"):
        OutcomeTable(table_of({})._all_rows().append_column(column, pa.array([cell] * 24)))


def test_tables_with_and_without_reasons_are_one():
    part = table_of({(0, "a"): {"finish_reason": "length"}}, finish_reason="stop").resplit(
        np.arange(4), np.ones(4, dtype=bool)
    )
    rest = table_of({}).resplit(np.arange(4, 8), np.zeros(4, dtype=bool))
    both = OutcomeTable.concatenate([part, rest], {})
    assert both.cut is not None
    assert both.cut.sum() == 1
    assert both.notes[0].startswith("12.5% of the answers of 'a' were cut")


def without_references(accuracy: Any) -> OutcomeTable:
    asked = QuerySet(Query(f"q{i}", "art", "test", f"{i}?", () if i else ("answer 0",)) for i in range(3))
    return OutcomeTable.from_records(asked, LLMS, records(asked, LLMS, accuracy, 1e-5, np.full(1, 0.1)), {})


def test_queries_without_a_reference_are_counted_where_they_score_0(tmp_path: Path):
    table = without_references(np.array([1, 0, 0])[:, None, None])
    assert table.n_references.tolist() == [1, 0, 0]
    assert table.notes == ("Queries without a reference: 2. Their accuracy is 0, whatever was answered.",)
    table.write(tmp_path / "t.parquet")
    assert OutcomeTable.read(tmp_path / "t.parquet").notes == table.notes


def test_queries_that_somebody_scored_without_references_are_not_remarked_on():
    assert without_references(np.array([1, 0, 0.5])[:, None, None]).notes == ()


def test_a_table_may_have_no_reference_at_all():
    asked = QuerySet([Query("q", "art", "test", "Who?", ())])
    table = OutcomeTable.from_records(asked, ["a"], records(asked, ["a"], 0.0, 1e-5, np.full(1, 0.1)), {})
    assert table.queries[0].references == ()
    assert table.notes == ("Queries without a reference: 1. Their accuracy is 0, whatever was answered.",)


def test_a_split_by_prompt_is_not_looked_through_and_another_split_is(tmp_path: Path):
    lines = [
        {"query_id": f"q{n}", "context": "c", "prompt": "same", "llm": llm, "score": 1} for n in (0, 1) for llm in "ab"
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = imported(tmp_path / "in.jsonl").table
    assert table.metadata["split"] == "by a hash of the prompt"
    assert not any("both splits" in note for note in table.notes)
    parted = table.resplit(np.array([0, 1]), np.array([True, False]))
    assert any("Prompts in both splits: 1" in note for note in parted.notes)
