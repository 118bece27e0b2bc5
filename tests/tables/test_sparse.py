"""Tables that lack pairs of a query and an LLM."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import queries, random_table, records, sparse_table

from llm_routing_env.tables.table import OutcomeTable


def small() -> OutcomeTable:
    """Return three queries on two LLMs, two repeats; art-0 lacks b, art-2 lacks a, and b failed on art-1."""
    asked = queries(3, ["art"])
    cost = np.array([[1.0, 9.0], [3.0, 5.0], [9.0, 7.0]])[:, :, None]
    rows = records(asked, ["a", "b"], 1.0, cost, np.full(2, 0.1))
    kept = [row for row in rows if (row["query_id"], row["llm"]) not in {("art-0", "b"), ("art-2", "a")}]
    for row in kept:
        if (row["query_id"], row["llm"]) == ("art-1", "b"):
            row |= {"error": "HTTP 500", "response": None}
    return OutcomeTable.from_records(asked, ["a", "b"], kept, {})


def test_cells_of_missing_pairs_are_empty():
    table = small()
    assert table.present.tolist() == [[True, False], [True, True], [False, True]]
    assert not table.is_complete
    np.testing.assert_array_equal(table.cost_usd[:, :, 1], [[1, np.nan], [3, 5], [np.nan, 7]])
    np.testing.assert_array_equal(table.accuracy("exact_match")[:, :, 0], [[1, np.nan], [1, 1], [np.nan, 1]])
    assert table.integers("prompt_tokens")[:, :, 0].tolist() == [[10, 0], [10, 10], [0, 10]]
    assert table.failed[:, :, 0].tolist() == [[False, False], [False, True], [False, False]]
    assert table.texts("response")[:, :, 0].tolist() == [["answer 0", None], ["answer 0", None], [None, "answer 1"]]
    assert table.text("response", 2, 1, 1) == "answer 1"
    assert table.text("response", 2, 0, 1) is None
    assert table.text("error", 1, 1, 0) == "HTTP 500"
    assert [query.prompt for query in table.queries] == ["art question 0?", "art question 1?", "art question 2?"]


def test_means_are_over_the_pairs_that_are_there():
    table = small()
    assert table.llm_means(table.cost_usd).tolist() == [2.0, 6.0]
    assert table.cost_scale_usd == 6.0
    assert table.failed_share == {"a": 0.0, "b": 0.5}


def test_the_unit_of_cost_of_a_complete_table_is_the_plain_mean():
    table = random_table()
    assert table.is_complete
    assert table.cost_scale_usd == table.cost_usd.mean(axis=(0, 2)).max()


def test_notes_say_what_share_of_the_queries_each_llm_lacks():
    assert small().notes == (
        "33.3% of the pairs of query and LLM are missing; of the queries of each LLM: a 33.3%, b 33.3%. Means over "
        "what is left are biased, unless it is missing at random.",
        "2 of the 4 calls of 'b' failed, the first with 'HTTP 500'.",
    )
    assert random_table().notes == ()


def test_a_dead_llm_is_named_with_the_calls_that_were_made():
    asked = queries(3, ["art"])
    rows = records(asked, ["good", "dead"], 1.0, 1.0, np.full(1, 0.1))[:-1]
    rows = [row | ({"error": row["query_id"]} if row["llm"] == "dead" else {}) for row in rows]
    table = OutcomeTable.from_records(asked, ["good", "dead"], rows, {})
    assert "2 of the 2 calls of 'dead' failed, the first with 'art-0'." in table.notes


def check_same(table: OutcomeTable, expected: OutcomeTable, places: list[int] | slice = slice(None)) -> None:
    assert list(table.queries) == [expected.queries[place] for place in np.arange(expected.n_queries)[places]]
    np.testing.assert_array_equal(table.present, expected.present[places])
    np.testing.assert_array_equal(table.latency_s, expected.latency_s[places])
    np.testing.assert_array_equal(table.texts("response"), expected.texts("response")[places])
    np.testing.assert_array_equal(table.integers("completion_tokens"), expected.integers("completion_tokens")[places])


def test_missing_pairs_stay_missing_through_a_file_in_any_order(tmp_path: Path):
    table = sparse_table(per_context=5)
    table.write(tmp_path / "t.parquet")
    again = OutcomeTable.read(tmp_path / "t.parquet")
    check_same(again, table)
    assert again.cost_scale_usd == table.cost_scale_usd
    rows = pq.read_table(tmp_path / "t.parquet")
    assert len(rows) == table.present.sum() * table.n_repeats
    pq.write_table(rows.take(pa.array(np.arange(len(rows))[::-1])), tmp_path / "t.parquet", row_group_size=7)
    check_same(OutcomeTable.read(tmp_path / "t.parquet"), table, slice(None, None, -1))


def test_what_is_left_is_what_the_complete_table_has():
    table, complete = sparse_table(missing_share=0.5), random_table()
    assert 0.4 < table.present.mean() < 0.6
    assert table.present.any(axis=1).all()
    np.testing.assert_array_equal(table.cost_usd[table.present], complete.cost_usd[table.present])
    assert np.isnan(table.cost_usd[~table.present]).all()


def test_some_of_the_queries_and_several_tables_keep_missing_pairs_missing():
    table = sparse_table(per_context=5)
    chosen, is_train = np.array([0, 3, 4, 11]), np.array([True, False, True, False])
    half = table.resplit(chosen, is_train)
    assert half.query_ids == tuple(table.query_ids[place] for place in chosen)
    assert half.is_train.tolist() == is_train.tolist()
    np.testing.assert_array_equal(half.present, table.present[chosen])
    np.testing.assert_array_equal(half.cost_usd, table.cost_usd[chosen])
    rest = table.resplit(np.setdiff1d(np.arange(15), chosen), np.zeros(11, dtype=bool))
    both = OutcomeTable.concatenate([half, rest], {"notes": ["both"]})
    assert both.query_ids == half.query_ids + rest.query_ids
    np.testing.assert_array_equal(both.present, np.concatenate([half.present, rest.present]))
    assert both.cost_scale_usd == pytest.approx(table.cost_scale_usd, rel=1e-12)
    assert both.notes[-1] == "both"


def rows_of(shape: tuple[int, int, int], cells: list[tuple[int, int, int]]) -> OutcomeTable:
    asked = queries(shape[0], ["art"])
    llms = [f"llm-{i}" for i in range(shape[1])]
    rows = records(asked, llms, 1.0, 1.0, np.full(shape, 0.1))
    kept = [rows[int(np.ravel_multi_index(cell, shape))] for cell in cells]
    return OutcomeTable.from_records(asked, llms, kept, {})


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([(0, 0, 0), (0, 0, 1), (0, 1, 0)], "no row for query 'art-0', LLM 'llm-1', repeat 1; a pair"),
        ([(0, 0, 1), (0, 1, 0), (0, 1, 1)], "no row for query 'art-0', LLM 'llm-0', repeat 0; a pair"),
        ([(0, 0, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1)], "no row for query 'art-0', LLM 'llm-0', repeat 1; a pair"),
        ([(0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 0)], "row 3: duplicate of query 'art-0', LLM 'llm-1', repeat 0"),
        ([(0, 0, 0), (1, 0, 0)], r"its metadata names the LLMs \['llm-0', 'llm-1'\], its rows \['llm-0'\]"),
    ],
)
def test_a_pair_with_some_of_its_repeats_and_an_llm_without_rows_are_refused(
    cells: list[tuple[int, int, int]], message: str
):
    with pytest.raises(ValueError, match=message):
        rows_of((2, 2, 2), cells)


def test_a_grid_much_larger_than_its_rows_is_refused_before_it_takes_memory():
    n = 7_200  # a row for each of so many queries and LLMs: 51.84 million cells
    rows = random_table(per_context=1, n_llms=1, n_repeats=1)._all_rows().slice(0, 1)
    rows = pa.concat_tables([rows] * n)
    for column in ("query_id", "llm"):
        names = pa.array([f"{column}-{number}" for number in range(n)])
        rows = rows.set_column(rows.column_names.index(column), column, names)
    with pytest.raises(ValueError, match="a grid of 7200 queries, 7200 LLMs and 1 repeats is too large"):
        OutcomeTable(rows.replace_schema_metadata(None))


def test_queries_that_an_llm_was_not_asked_are_no_table_of_their_own():
    table = sparse_table(missing_share=0.5)
    lacking = np.flatnonzero(~table.present[:, 2])
    with pytest.raises(ValueError, match=r"The LLM 'llm-2' was asked none of the \d+ chosen queries of in memory"):
        table.resplit(lacking, np.zeros(len(lacking), dtype=bool))
