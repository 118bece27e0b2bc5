"""Outcome tables: reading, order, truth, and refusals that name the row."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import queries, random_table, records

from llm_routing_env.tables.table import OutcomeTable


def test_cells_land_where_their_row_says():
    asked = queries(2, ["art"])
    accuracy = np.array([[[1, 0], [0, 1]], [[0, 0], [1, 1]]])
    rows = records(asked, ["a", "b"], accuracy, np.arange(8).reshape(2, 2, 2), 0.1)
    table = OutcomeTable.from_records(asked, ["a", "b"], reversed(rows), {})
    order = [query.query_id for query in table.queries]
    expected = accuracy[[int(name[-1]) for name in order]]
    np.testing.assert_array_equal(table.accuracy("exact_match"), expected)
    assert table.text("response", 0, 1, 0) == "answer 1"


def test_writing_and_reading_gives_the_same_table(tmp_path: Path):
    table = random_table()
    table.write(tmp_path / "t.parquet")
    again = OutcomeTable.read(tmp_path / "t.parquet")
    np.testing.assert_array_equal(again.cost_usd, table.cost_usd)
    assert list(again.queries) == list(table.queries)
    assert again.llm_names == table.llm_names
    assert again.metadata["pool"] == {"name": "random"}
    assert again.cost_scale_usd == table.cost_scale_usd


def test_a_table_is_written_to_where_a_link_leads_and_through_no_other_link(tmp_path: Path):
    (tmp_path / "victim.txt").write_text("precious")
    (tmp_path / "t.parquet").symlink_to(tmp_path / "real.parquet")
    for name in ("t.parquet.partial", "real.parquet.partial"):
        (tmp_path / name).symlink_to("victim.txt")
    table = random_table(per_context=4)
    table.write(tmp_path / "t.parquet")
    assert (tmp_path / "victim.txt").read_text() == "precious"
    assert (tmp_path / "t.parquet").is_symlink()
    assert OutcomeTable.read(tmp_path / "real.parquet").query_ids == table.query_ids


def test_a_table_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(writer: pq.ParquetWriter, rows: pa.Table) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(OSError, match="no space left"):
        random_table(per_context=4).write(tmp_path / "t.parquet")
    assert not list(tmp_path.iterdir())


def test_the_order_of_rows_and_their_groups_in_the_file_do_not_matter(tmp_path: Path):
    table = random_table(per_context=4)
    table.write(tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet")
    shuffled = np.random.default_rng(0).permutation(len(rows))
    pq.write_table(rows.take(pa.array(shuffled)), tmp_path / "t.parquet", row_group_size=7)
    again = OutcomeTable.read(tmp_path / "t.parquet")
    places = [again.query_ids.index(query_id) for query_id in table.query_ids]
    assert [again.queries[place] for place in places] == list(table.queries)
    np.testing.assert_array_equal(again.latency_s[places], table.latency_s)
    np.testing.assert_array_equal(again.texts("response")[places], table.texts("response"))
    first_rows = dict.fromkeys(rows["query_id"].to_numpy()[shuffled])  # queries keep the order of their first row
    assert again.query_ids == tuple(first_rows)


def test_texts_are_those_of_the_cells():
    table = random_table(per_context=2, n_llms=2, n_repeats=1)
    assert table.texts("response").tolist() == [[["answer 0"], ["answer 1"]]] * 6
    assert table.texts("error").tolist() == [[[None], [None]]] * 6


def test_selection_by_context_and_split():
    table = random_table(per_context=6)
    chosen = table.select("art", "train")
    assert [table.queries[i].query_id for i in chosen] == ["art-0", "art-3"]
    assert len(table.select(None, "all")) == 18


def test_arrays_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        random_table().cost_usd[0] = 1


def spoil(tmp_path: Path, change: Any) -> Path:
    random_table(per_context=4).write(tmp_path / "t.parquet")
    rows = pq.read_table(tmp_path / "t.parquet")
    pq.write_table(change(rows), tmp_path / "t.parquet")
    return tmp_path / "t.parquet"


def with_cell(column: str, row: int, value: Any) -> Any:
    def change(rows: pa.Table) -> pa.Table:
        values = rows[column].to_pylist()
        values[row] = value
        return rows.set_column(rows.column_names.index(column), column, pa.array(values))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop_columns("cost_usd"), r"missing columns \['cost_usd'\]"),
        (lambda rows: rows.drop_columns("accuracy_exact_match"), "at least one accuracy_"),
        (lambda rows: rows.slice(0, 0), "no rows"),
        (
            with_cell("accuracy_exact_match", 5, float("nan")),
            r"row 5 .*accuracy_exact_match must be a number in \[0, 1\]",
        ),
        (with_cell("accuracy_exact_match", 5, 1.5), "row 5 .* is 1.5"),
        (with_cell("cost_usd", 7, -0.1), "row 7 .*cost_usd must be a finite number, 0 or more, is -0.1"),
        (with_cell("latency_s", 2, float("inf")), "row 2 .*latency_s"),
        (with_cell("latency_s", 2, None), "row 2 .*latency_s"),
        (with_cell("split", 3, "dev"), "row 3 .*split must be 'train' or 'test', is 'dev'"),
        (with_cell("repeat", 1, 0), "row 1: duplicate of query 'art-0', LLM 'llm-0', repeat 0"),
        (
            with_cell("context", 1, "mixed"),
            "t.parquet: rename the context: 'mixed' stands for a session of all contexts",
        ),
        (lambda rows: rows.slice(1), "no row for query 'art-0', LLM 'llm-0', repeat 0"),
        (with_cell("llm", 0, "other"), r"metadata names the LLMs .* \['other'"),
        (
            lambda r: r.set_column(r.column_names.index("cost_usd"), "cost_usd", pa.array(["x"] * len(r))),
            "'cost_usd' must be numeric",
        ),
    ],
)
def test_a_malformed_table_is_refused_with_its_first_offending_row(tmp_path: Path, change: Any, message: str):
    with pytest.raises(ValueError, match=message):
        OutcomeTable.read(spoil(tmp_path, change))


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path):
    (tmp_path / "t.parquet").write_text("hello")
    with pytest.raises(ValueError, match="not a parquet file"):
        OutcomeTable.read(tmp_path / "t.parquet")


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'nano'"):
        OutcomeTable.read("nanno")
    with pytest.raises(ValueError, match="Unknown scorer 'exact'"):
        random_table().accuracy("exact")


def test_a_whole_missing_latency_column_is_allowed_but_not_weighed():
    asked = queries(2, ["art"])
    rows = records(asked, ["a", "b"], np.ones((2, 2, 1)), 1e-5, 0.1)
    table = OutcomeTable.from_records(asked, ["a", "b"], [row | {"latency_s": None} for row in rows], {})
    assert np.isnan(table.latency_s).all()


def test_an_llm_whose_calls_failed_is_named_with_its_first_error():
    asked = queries(5, ["art"])
    rows = records(asked, ["good", "typo"], 1.0, 1e-5, np.full(2, 0.1))
    for row in rows:
        if row["llm"] == "typo":
            row |= {"response": None, "error": f"HTTP 404: {row['query_id']}", "accuracy_exact_match": 0.0}
    table = OutcomeTable.from_records(asked, ["good", "typo"], rows, {})
    assert table.failed_share == {"good": 0.0, "typo": 1.0}
    assert table.notes == ("10 of the 10 calls of 'typo' failed, the first with 'HTTP 404: art-0'.",)
    for row in rows[:3]:  # one call of 'typo' among them
        row["error"] = None
    table = OutcomeTable.from_records(asked, ["good", "typo"], rows, {})
    assert table.failed_share == {"good": 0.0, "typo": 0.9}


def test_a_table_that_is_written_over_its_own_file_keeps_its_texts(tmp_path: Path):
    path = tmp_path / "t.parquet"
    random_table().write(path)
    table = OutcomeTable.read(path)
    table.write(path)
    assert table.queries[0].prompt == "art question 0?"
    assert table.text("response", 0, 1, 0) == "answer 1"


@pytest.mark.parametrize("cell", [(0, 4, 0), (0, 0, 3), (90, 0, 0), (1, -1, 0)])
def test_a_text_of_no_cell_is_refused(cell: tuple[int, int, int]):
    with pytest.raises(IndexError, match="There is no cell"):
        random_table().text("response", *cell)
