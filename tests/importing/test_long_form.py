"""Importing the long form: what lands where, and what is refused with its row, its column and the flag that helps."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from imports import imported
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.tables.queries import split_of
from llm_routing_env.tables.table import OutcomeTable

Row = dict[str, Any]


def rows() -> list[Row]:
    """Return two queries on two LLMs, in an order that is not the table's."""
    return [
        {
            "query_id": query,
            "context": "maths" if query == "q1" else "law",
            "prompt": f"prompt, of\n{query}",
            "reference": "yes" if query == "q1" else None,
            "llm": llm,
            "response": f"{llm} on {query}",
            "accuracy": accuracy,
            "cost_usd": cost,
            "latency_s": latency,
            "prompt_tokens": 7,
        }
        for query, llm, accuracy, cost, latency in (
            ("q1", "big", 1.0, 0.004, 2.0),
            ("q2", "big", 0.5, 0.002, 4.0),
            ("q1", "small", 0.0, 0.001, 0.5),
            ("q2", "small", 1.0, 0.001, 0.25),
        )
    ]


def save(folder: Path, content: list[Row], suffix: str = ".jsonl") -> Path:
    path = folder / f"source{suffix}"
    if suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(content), path)
    elif suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    else:
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, content[0], delimiter="\t" if suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(content)
    return path


def read(path: Path, names: dict[str, str] | None = None, **options: Any) -> OutcomeTable:
    return imported(path, names, **options).table


def changed(row: int, **cells: Any) -> list[Row]:
    content = rows()
    content[row] |= cells
    return content


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".jsonl"])
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str):
    table = read(save(tmp_path, rows(), suffix))
    assert table.llm_names == ("big", "small")
    assert [query.query_id for query in table.queries] == ["q1", "q2"]
    assert [query.context for query in table.queries] == ["maths", "law"]
    assert [query.prompt for query in table.queries] == ["prompt, of\nq1", "prompt, of\nq2"]
    assert [query.references for query in table.queries] == [("yes",), ()]
    assert [query.split for query in table.queries] == [split_of("prompt, of\nq1"), split_of("prompt, of\nq2")]
    np.testing.assert_array_equal(table.accuracy("recorded")[:, :, 0], [[1, 0], [0.5, 1]])
    np.testing.assert_array_equal(table.cost_usd[:, :, 0], [[0.004, 0.001], [0.002, 0.001]])
    np.testing.assert_array_equal(table.latency_s[:, :, 0], [[2, 0.5], [4, 0.25]])
    assert table.text("response", 1, 0, 0) == "big on q2"
    assert (table.integers("prompt_tokens") == 7).all()
    assert table.cost_scale_usd == pytest.approx(0.003)


def test_an_imported_table_reads_back_the_same(tmp_path: Path):
    table = read(save(tmp_path, rows()), notes=("From a paper.",))
    table.write(tmp_path / "table.parquet")
    again = OutcomeTable.read(tmp_path / "table.parquet")
    assert list(again.queries) == list(table.queries)
    np.testing.assert_array_equal(again.cost_usd, table.cost_usd)
    assert again.text("response", 0, 1, 0) == "small on q1"
    assert again.notes == ("From a paper.",)
    assert [file["file"] for file in again.metadata["source"]["files"]] == ["source.jsonl"]


def test_flags_name_columns_and_scores_are_scaled(tmp_path: Path):
    content = [{f"my_{key}": value for key, value in row.items()} for row in changed(0, accuracy=2.0)]
    names = {role: f"my_{role}" for role in ("query_id", "prompt", "llm", "accuracy", "context", "cost_usd")}
    table = read(save(tmp_path, content), names, score_range=(0, 2), scorer="judge")
    assert table.scorers == ("judge",)
    np.testing.assert_array_equal(table.accuracy("judge")[:, :, 0], [[1, 0], [0.25, 0.5]])


def test_missing_cost_and_latency_are_said(tmp_path: Path):
    content = [{key: row[key] for key in ("query_id", "prompt", "llm", "accuracy")} for row in rows()]
    table = read(save(tmp_path, content), about={"context": "everything"})
    assert table.contexts == ("everything",)
    assert table.notes == ("The table records no cost.", "The table records no latency.")


def test_a_split_column_is_taken_as_it_is_and_repeats_are_counted(tmp_path: Path):
    content = [row | {"set": "test" if row["query_id"] == "q1" else "train", "repeat": 0} for row in rows()]
    content += [row | {"repeat": 1, "accuracy": 0.25} for row in content]
    table = read(save(tmp_path, content), {"split": "set"})
    assert table.is_train.tolist() == [False, True]
    assert table.accuracy("recorded")[0, 0].tolist() == [1.0, 0.25]


def test_incomplete_queries_are_dropped_on_demand_and_counted(tmp_path: Path):
    third = [row | {"query_id": "q3"} for row in rows()[:1]]
    path = save(tmp_path, changed(2, accuracy=None) + third)
    result = imported(path, drop_incomplete=True)
    assert [query.query_id for query in result.table.queries] == ["q2"]
    assert result.n_dropped == 2


@pytest.mark.parametrize(
    "content",
    [rows()[:3], changed(3, accuracy=None), changed(3, accuracy=float("nan")), changed(3, cost_usd=None)],
)
def test_a_pair_without_a_row_or_a_number_is_missing_and_the_rest_stays(tmp_path: Path, content: list[Row]):
    table = read(save(tmp_path, content))
    assert table.query_ids == ("q1", "q2")
    assert table.present.tolist() == [[True, True], [True, False]]
    np.testing.assert_array_equal(table.accuracy("recorded")[:, :, 0], [[1, 0], [0.5, np.nan]])
    np.testing.assert_array_equal(table.cost_usd[:, :, 0], [[0.004, 0.001], [0.002, np.nan]])
    assert table.notes == (
        "25.0% of the pairs of query and LLM are missing; of the queries of each LLM: small 50.0%. Means over what is "
        "left are biased, unless it is missing at random.",
    )


def test_a_pair_that_lacks_a_repeat_is_missing_and_a_query_that_lacks_every_llm_is_left_out(tmp_path: Path):
    content = [row | {"repeat": repeat} for row in rows() for repeat in (0, 1)]
    content += [row | {"query_id": "q3", "repeat": 0} for row in rows()[:1]]
    content.pop(2)  # the first repeat of q2 on big
    result = imported(save(tmp_path, content))
    assert (result.n_dropped, result.n_partial) == (1, 2)
    assert result.table.query_ids == ("q1", "q2")
    assert result.table.present.tolist() == [[True, True], [False, True]]
    assert result.table.texts("response")[:, :, 1].tolist() == [["big on q1", "small on q1"], [None, "small on q2"]]
    assert result.table.notes[-1] == "1 of the file's 3 queries left out: each lacks an LLM with all its numbers."


def test_the_command_keeps_incomplete_queries_and_says_what_is_missing_or_left_out(tmp_path: Path):
    source, out = save(tmp_path, changed(3, accuracy=None)), tmp_path / "out.parquet"
    kept = CliRunner().invoke(app, ["import", "long", str(source), str(out)])
    assert "2 queries x 2 LLMs" in kept.output
    assert "pairs that lack a number or a repeat, and count as missing: 1" in kept.output
    assert "small 50.0%. Means over what is left are biased" in kept.output
    dropped = CliRunner().invoke(app, ["import", "long", str(source), str(out), "--overwrite", "--drop-incomplete"])
    assert "1 queries x 2 LLMs" in dropped.output
    assert "1 of the file's 2 queries left out" in dropped.output
    assert "no fair sample" in dropped.output


def test_an_llm_can_be_left_out_with_whatever_is_wrong_with_it(tmp_path: Path):
    table = read(save(tmp_path, changed(2, accuracy=None)), excluded=["small"])
    assert table.llm_names == ("big",)


def test_booleans_and_lists_of_texts_are_understood(tmp_path: Path):
    content = [
        row | {"accuracy": row["accuracy"] == 1, "prompt": ["a", "b"], "reference": ["x", "y"]} for row in rows()
    ]
    for suffix in (".jsonl", ".parquet"):
        table = read(save(tmp_path, content, suffix))
        assert table.accuracy("recorded")[:, :, 0].tolist() == [[1, 0], [0, 1]]
        assert (table.queries[0].prompt, table.queries[0].references) == ("a\nb", ("x", "y"))


REFUSED = [
    (
        changed(1, accuracy="good"),
        "row 1, column 'accuracy': expected a number, found 'good'; --score-map WORD=NUMBER,... such as good=1 ",
    ),
    (changed(1, accuracy=5), r"row 1, column 'accuracy': expected a number in \[0, 1\], found 5.0; --score-range"),
    (changed(3, accuracy=-1), r"row 3, column 'accuracy': expected a number in \[0, 1\], found -1.0; --score-range"),
    (changed(2, cost_usd=-0.1), "row 2, column 'cost_usd': expected a finite number, 0 or more, found -0.1; --cost"),
    (changed(2, latency_s=float("inf")), "row 2, column 'latency_s': expected a finite number"),
    (changed(2, query_id=None), "row 2, column 'query_id': expected a text, found None; .*--query-column"),
    (changed(2, llm=""), "row 2, column 'llm': expected a text"),
    (changed(2, context=None), "row 2, column 'context': expected a text, found None; --context NAME"),
    (changed(2, llm="big"), r"row 2: expected one row per query and LLM, .*query 'q1', LLM 'big'.*row 0.*--query"),
    (changed(2, error=7), "row 2, column 'error': expected a text, found 7; --error-column"),
    (changed(2, context="law"), "row 2, column 'context': expected 'maths' as in row 0 of the same query, found 'law'"),
    (changed(2, prompt="else"), "row 2, column 'prompt': expected .* as in row 0 of the same query, found 'else'"),
    (changed(2, prompt={"role": "user"}), "row 2, column 'prompt': expected a text, found {'role'"),
    (
        [dict(row, context="mixed") for row in rows()],
        "row 0, column 'context': expected the name of a context, found 'mixed'; rename the context: 'mixed'",
    ),
    (
        rows()[1:3],
        "every query has the outcome of one LLM: this is a log, not a table. `pickllm import-log` reads logs",
    ),
    (
        [dict(row, cost_usd=None if row["llm"] == "big" else 0.1) for row in rows()],
        r"all numbers \(accuracy, cost_usd, latency_s\) for LLM 'big', found none; --exclude-llm.*--missing-cost",
    ),
    ([dict(row, accuracy=None) for row in rows()], "column 'accuracy': expected a score, found None"),
]


@pytest.mark.parametrize(("content", "message"), REFUSED)
def test_a_cell_that_does_not_fit_is_refused_with_its_place_and_the_flag(
    tmp_path: Path, content: list[Row], message: str
):
    with pytest.raises(ValueError, match=message) as caught:
        read(save(tmp_path, content))
    assert str(tmp_path / "source.jsonl") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"llm": "LLM"}, "Unknown column 'LLM'.*--llm-column"),
        ({"latency_s": "seconds"}, "Unknown column 'seconds'.*--latency-column"),
        ({"split": "context"}, "expected 'train' or 'test', found 'maths'; without --split-column"),
    ],
)
def test_a_column_that_is_not_there_or_not_it_is_refused(tmp_path: Path, names: dict[str, str], message: str):
    with pytest.raises(ValueError, match=message):
        read(save(tmp_path, rows()), names)


def test_when_nothing_is_complete_the_rarest_llm_is_named(tmp_path: Path):
    content = [*rows(), rows()[0] | {"llm": "rare", "query_id": "q3"}]
    with pytest.raises(ValueError, match="the rarest, LLM 'rare', has 1 of 3 queries; --exclude-llm"):
        read(save(tmp_path, content), drop_incomplete=True)


def test_an_encoding_that_does_not_fit_is_refused_with_its_row(tmp_path: Path):
    path = save(tmp_path, changed(1, response="caf\u00e9"), ".csv")
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    with pytest.raises(ValueError, match=r"row 1, column 'response': expected text in the file's encoding.*--encoding"):
        read(path)
    assert read(path, encoding="latin-1").text("response", 1, 0, 0) == "caf\u00e9"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            b"query_id,llm,accuracy,prompt,context\nq1\n",
            "row 0: expected 5 fields as in the header, found 1; --separator",
        ),
        ("a.csv", b"llm,llm\n", "unique names"),
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"\n \n", "the file is empty"),
        ("a.csv", b"query_id,llm,accuracy,prompt,context\n", "expected rows, found none"),
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "line 2: expected JSON objects, found"),
        ("a.jsonl", b"[1]\n", "line 1: expected JSON objects, found a int"),
        ("a.parquet", b"hello", "expected a parquet file"),
        ("a.xlsx", b"PK", "expected a .parquet, .csv, .tsv, .json or .jsonl file, .* found '.xlsx'"),
        ("a.pkl", b"anything", "a pickle can run any program when it is opened.*read_pickle.*a.jsonl"),
        ("a.parquet", b"\x80\x04rest", "a pickle can run any program"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / name)


def test_one_context_for_all_may_not_have_a_reserved_name(tmp_path: Path):
    with pytest.raises(ValueError, match="rename the context: 'all' stands for the mean over all contexts"):
        read(save(tmp_path, rows()), about={"context": "all"})


def test_equal_prompts_get_one_split_and_a_given_split_that_parts_them_is_said(tmp_path: Path):
    content = [row | {"prompt": "Who?", "set": "test" if row["query_id"] == "q1" else "train"} for row in rows()]
    table = read(save(tmp_path, content))
    assert table.is_train.tolist() == [split_of("Who?") == "train"] * 2
    assert table.notes == ()
    arguments = [str(tmp_path / "source.jsonl"), str(tmp_path / "out.parquet"), "--split-column", "set"]
    done = CliRunner().invoke(app, ["import", "long", *arguments])
    assert "Prompts in both splits: 1." in done.output


def test_the_command_writes_reports_and_spares_what_is_there(tmp_path: Path):
    source, out = save(tmp_path, rows(), ".csv"), tmp_path / "out.parquet"
    arguments = ["import", "long", str(source), str(out)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "2 queries x 2 LLMs x 2 contexts" in done.output
    assert "references from 'reference'" in done.output
    again = CliRunner().invoke(app, arguments)
    assert "--overwrite" in str(again.exception)
    assert CliRunner().invoke(app, [*arguments, "--overwrite"]).exit_code == 0


def test_an_import_that_fails_leaves_nothing(tmp_path: Path):
    source = save(tmp_path, changed(1, accuracy=7))
    done = CliRunner().invoke(app, ["import", "long", str(source), str(tmp_path / "out.parquet")])
    assert "--score-range" in str(done.exception)
    assert [path.name for path in tmp_path.glob("out*")] == []
