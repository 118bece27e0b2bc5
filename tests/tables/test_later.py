"""Texts of a table's file: read when somebody asks for them, and refused then where they are damaged."""

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import random_table, sparse_table

from llm_routing_env.tables.file import TableFile
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable


@pytest.fixture
def reads(monkeypatch) -> list[str]:
    """The columns that were read from files, in order."""
    found: list[str] = []
    select = TableFile.select

    def selected(self: TableFile, columns: Any) -> pa.Table:
        found.extend(columns)
        return select(self, columns)

    monkeypatch.setattr(TableFile, "select", selected)
    return found


def test_a_column_of_texts_is_read_once_and_when_it_is_asked_for(tmp_path: Path, reads: list[str]):
    random_table(per_context=4).write(tmp_path / "t.parquet")
    table = OutcomeTable.read(tmp_path / "t.parquet")
    assert table.query_ids[1] == "art-1"
    assert not {"prompt", "references", "response"} & set(reads)
    reads.clear()
    assert [table.text("response", query, 1, 0) for query in (0, 3)] == ["answer 1", "answer 1"]
    assert reads == ["response"]
    assert table.queries[1].prompt == table.queries[-11].prompt == "art question 1?"
    assert reads == ["response", "prompt", "references"]


def test_queries_of_a_table_are_a_query_set(tmp_path: Path):
    random_table(per_context=4).write(tmp_path / "t.parquet")
    found = OutcomeTable.read(tmp_path / "t.parquet").queries
    whole = QuerySet(list(found))
    assert (found.sha256, found.contexts, len(found)) == (whole.sha256, whole.contexts, 12)
    assert list(found[2:9:3]) == [whole[2], whole[5], whole[8]]
    assert isinstance(found[:2], QuerySet)
    with pytest.raises(IndexError):
        found[12]


def test_copies_and_pickles_read_what_they_are_asked_for(tmp_path: Path):
    sparse_table(per_context=4).write(tmp_path / "t.parquet")
    table = OutcomeTable.read(tmp_path / "t.parquet")
    for again in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table)):
        assert list(again.queries) == list(table.queries)
        np.testing.assert_array_equal(again.texts("response"), table.texts("response"))


def test_a_process_may_change_its_folder_before_it_asks(tmp_path: Path, monkeypatch):
    random_table(per_context=4).write(tmp_path / "t.parquet")
    monkeypatch.chdir(tmp_path)
    table = OutcomeTable.read("t.parquet")
    monkeypatch.chdir(tmp_path.parent)
    assert table.text("response", 0, 1, 0) == "answer 1"


def test_a_file_that_changed_is_refused_by_name(tmp_path: Path):
    path = tmp_path / "t.parquet"
    random_table(per_context=4).write(path)
    table = OutcomeTable.read(path)
    random_table(per_context=5).write(path)
    with pytest.raises(ValueError, match=r"t\.parquet: the file has changed since the table was opened"):
        table.text("response", 0, 0, 0)
    path.unlink()
    with pytest.raises(ValueError, match=r"t\.parquet: not a parquet file that can be read"):
        table.queries[0]


def bare(path: Path, **columns: pa.Array) -> OutcomeTable:
    """Open a table with some columns replaced."""
    rows = random_table(per_context=4)._all_rows()
    for name, column in columns.items():
        rows = rows.set_column(rows.column_names.index(name), name, column)
    metadata = {"pickllm": '{"llms": ["llm-0", "llm-1", "llm-2", "llm-3"]}'}
    pq.write_table(rows.replace_schema_metadata(metadata), path)
    return OutcomeTable.read(path)


def test_texts_that_may_not_be_missing_are_refused_when_they_are_read(tmp_path: Path):
    table = bare(tmp_path / "t.parquet", prompt=pa.nulls(144, pa.string()))
    assert table.text("response", 0, 0, 0) == "answer 0"
    for ask in (lambda: table.queries[0], lambda: table.write(tmp_path / "u.parquet"), lambda: table.notes):
        with pytest.raises(ValueError, match=r"t\.parquet: column 'prompt' must not be empty in any row"):
            ask()
    assert not list(tmp_path.glob("u*"))
    table = bare(tmp_path / "t.parquet", references=pa.array([["a", None]] * 144))
    with pytest.raises(ValueError, match=r"t\.parquet: column 'references' must be a list of texts"):
        table.queries[0]


def test_bytes_that_are_no_text_are_refused_when_they_are_read(tmp_path: Path):
    broken = pa.array([b"\xff"] * 144).cast(pa.binary()).view(pa.string())
    table = bare(tmp_path / "t.parquet", response=broken)
    with pytest.raises(ValueError, match=r"t\.parquet: not a parquet file that can be read"):
        table.text("response", 0, 0, 0)


def test_in_memory_texts_are_checked_at_once():
    rows = random_table(per_context=4)._all_rows()
    rows = rows.set_column(rows.column_names.index("prompt"), "prompt", pa.nulls(len(rows), pa.string()))
    with pytest.raises(ValueError, match="outcome table: column 'prompt' must not be empty"):
        OutcomeTable(rows)
