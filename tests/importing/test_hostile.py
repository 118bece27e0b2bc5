"""What a hostile reader found: wrong numbers in silence, files lost, right input refused, lines that did not help."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.importing import writing
from llm_routing_env.importing.units import factor_of
from llm_routing_env.tables.table import OutcomeTable

Row = dict[str, Any]


def rows(n_queries: int = 4) -> list[Row]:
    return [
        {
            "query_id": f"q{query}",
            "context": "art",
            "prompt": f"What is {query}?",
            "reference": str(query),
            "llm": llm,
            "response": str(query),
            "accuracy": 0.5,
            "cost_usd": 0.25,
            "latency_s": 2.0,
        }
        for query in range(n_queries)
        for llm in ("small", "large")
    ]


def save(path: Path, content: list[Row]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(content), path)
    elif path.suffix == ".csv":
        cells = [["" if cell is None else str(cell) for cell in row.values()] for row in content]
        path.write_text("\n".join(",".join(line) for line in [list(content[0]), *cells]) + "\n")
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in content))
    return path


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, ["import", *map(str, arguments)])
    if done.exception is not None:
        assert isinstance(done.exception, ValueError | OSError), done.exception
        assert "\n" not in str(done.exception)
    return str(done.exception) if done.exception else done.output


def imported(path: Path, *flags: str) -> OutcomeTable:
    said = run("long", path, path.parent / "out.parquet", "--overwrite", *flags)
    assert said.startswith("wrote "), said
    return OutcomeTable.read(path.parent / "out.parquet")


def changed(row: int, content: list[Row] | None = None, **cells: Any) -> list[Row]:
    found = rows() if content is None else content
    found[row] |= cells
    return found


def test_answers_are_scored_against_references_that_stand_in_another_row(tmp_path: Path):
    content = [{**row, "reference": row["reference"] if row["llm"] == "small" else None} for row in rows()]
    table = imported(save(tmp_path / "in.jsonl", content), "--score-with", "exact_match")
    assert (table.accuracy("exact_match") == 1).all()


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("value", [False, "False", "false", "no", "0", None, ""])
def test_an_error_that_is_none_is_none_in_every_format(tmp_path: Path, suffix: str, value: Any):
    table = imported(save(tmp_path / f"in{suffix}", [{**row, "error": value} for row in rows()]))
    assert not table.failed.any()


@pytest.mark.parametrize("value", [True, "true", "boom", {"code": 5}])
def test_an_error_is_a_failed_call_whose_score_is_0(tmp_path: Path, value: Any):
    table = imported(save(tmp_path / "in.jsonl", changed(3, error=value, accuracy=1.0)))
    assert table.failed[:, :, 0].tolist() == [[False, False], [False, True], [False, False], [False, False]]
    assert table.accuracy("recorded")[1, 1, 0] == 0


def test_a_file_is_called_without_its_kind_only(tmp_path: Path):
    (tmp_path / "runs").mkdir()
    for name in ("gpt-4.1.jsonl", "gpt-4o.jsonl", "llama-3.1-8b.csv"):
        save(tmp_path / "runs" / name, [{k: v for k, v in row.items() if k != "llm"} for row in rows()[::2]])
    said = run("long", tmp_path / "runs", tmp_path / "out.parquet", "--llm-from", "filename")
    assert said.startswith("wrote ")
    assert OutcomeTable.read(tmp_path / "out.parquet").llm_names == ("gpt-4.1", "gpt-4o", "llama-3.1-8b")


def test_numbers_are_no_words(tmp_path: Path):
    said = run("long", save(tmp_path / "in.csv", rows()), tmp_path / "out.parquet", "--score-map", "2=1,1=0.5")
    assert said.startswith("--score-map: 2 is a number already")


def test_quotes_may_be_text(tmp_path: Path):
    lines = ["query_id\tcontext\tprompt\tllm\taccuracy", 'q\tc\t"hi there\ta\t1', 'q\tc\t"hi there\tb\t0']
    (tmp_path / "in.tsv").write_text("\n".join(lines) + "\n")
    table = imported(tmp_path / "in.tsv", "--no-quotes")
    assert table.llm_names == ("a", "b")
    assert table.queries[0].prompt == '"hi there'


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        *((name, "ms") for name in ("Latency (ms)", "LATENCY_MS", "latency[ms]", "time_in_msecs", "durationMillis")),
        ("latency_ms_total", "ms"),
        ("t_us", "us"),
        ("COST_CENTS", "cent"),
        ("cost (cents)", "cent"),
        ("usd_per_1M", "usd_per_1m"),
    ],
)
def test_a_unit_in_a_name_is_seen_wherever_it_stands(column: str, unit: str):
    role = "latency_s" if unit in ("ms", "us") else "cost_usd"
    with pytest.raises(ValueError, match=f"looks like {unit}: give --"):
        factor_of(Path("f"), role, None, column)
    assert factor_of(Path("f"), role, unit, column) < 1


@pytest.mark.parametrize("name", ["latency_s", "cost_usd", "terms", "items", "tokens_minimum", "usd"])
def test_a_name_without_a_unit_is_taken_as_it_is(name: str):
    assert factor_of(Path("f"), "latency_s", None, name) == 1
    assert factor_of(Path("f"), "cost_usd", None, name) == 1


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_boolean_is_no_cost(tmp_path: Path, suffix: str):
    content = [{**row, "cost_usd": True} for row in rows()]
    said = run("long", save(tmp_path / f"in{suffix}", content), tmp_path / "out.parquet")
    assert "row 0, column 'cost_usd': expected a number, found" in said


def test_a_cost_that_is_said_counts_for_failed_calls_too(tmp_path: Path):
    table = imported(save(tmp_path / "in.jsonl", changed(3, error="boom", cost_usd=None)), "--missing-cost", "0.5")
    assert table.cost_usd[1, 1, 0] == 0.5


def test_two_columns_of_scores_are_not_mixed(tmp_path: Path):
    content = [{**row, "accuracy": None if row["query_id"] == "q1" else 1.0, "score": 0.25} for row in rows()]
    for suffix in (".jsonl", ".csv"):
        table = imported(save(tmp_path / f"in{suffix}", content))
        assert table.query_ids == ("q0", "q2", "q3")


def test_flags_that_would_be_lost_are_refused(tmp_path: Path):
    path, out = save(tmp_path / "in.jsonl", rows()), tmp_path / "out.parquet"
    assert "--where llm is given twice" in run("long", path, out, "--where", "llm=small", "--where", "llm=large")
    assert "'k' is given twice" in run("long", path, out, "--join", f"k={path}:query_id", "--join", f"k={path}:llm")
    assert "there is no file" in run("long", path, out, "--join", "k=none.jsonl:query_id")
    assert "--llms a,b: names LLMs with a column each" in run("long", path, out, "--llms", "a,b")
    assert "--query-column -: a table cannot be without" in run("long", path, out, "--query-column", "-")
    assert "--files must be a pattern" in run("long", tmp_path, out, "--files", "/x")
    assert "found none but those of --exclude-llm" in run(
        "long", save(tmp_path / "w.jsonl", [{"query_id": "q", "context": "c", "prompt": "p", "a_s": 1}]), out,
        "--accuracy-column", "{llm}_s", "--exclude-llm", "a",
    )  # fmt: skip
    assert "expected columns like '<llm>'" in run("long", path, out, "--accuracy-column", "{llm}")
    assert not out.exists()


def test_nothing_that_is_read_is_replaced_or_deleted(tmp_path: Path):
    source = save(tmp_path / "x.embeddings.parquet", rows())
    for flags in ([], ["--overwrite"]):
        assert "is there already" in run("long", source, tmp_path / "x.parquet", *flags)
    assert source.exists()
    other = save(tmp_path / "other.jsonl", [{k: v for k, v in row.items() if k != "latency_s"} for row in rows()])
    recorded = tmp_path / "rec.parquet"
    run("long", save(tmp_path / "in.jsonl", rows()), recorded)
    before = recorded.read_bytes()
    assert "never what is read" in run("long", other, recorded, "--latency-from", recorded, "--overwrite")
    assert recorded.read_bytes() == before
    (tmp_path / "runs").mkdir()
    save(tmp_path / "runs" / "a.jsonl", rows())
    assert run("long", tmp_path / "runs", tmp_path / "runs" / "out.parquet").startswith("wrote ")
    again = run("long", tmp_path / "runs", tmp_path / "runs" / "out.parquet", "--overwrite")
    assert "out.parquet is there already; --overwrite replaces it, but never what is read" in again


def test_where_finds_a_value_beyond_what_is_listed(tmp_path: Path):
    content = [{**row, "tag": "wanted" if number >= 398 else f"t{number}"} for number, row in enumerate(rows(200))]
    table = imported(save(tmp_path / "in.jsonl", content), "--where", "tag=wanted")
    assert table.n_queries == 1


def test_rows_left_out_may_hold_anything(tmp_path: Path):
    content = [{"type": "header"}, *({**row, "type": "row"} for row in changed(1, accuracy="bad"))]
    content[2]["type"] = "note"
    table = imported(save(tmp_path / "in.jsonl", content), "--where", "type=row")
    assert table.present.tolist() == [[True, False], [True, True], [True, True], [True, True]]


def test_columns_of_dates_can_be_compared(tmp_path: Path):
    import datetime

    content = [{**row, "day": datetime.date(2026, 1, 1 + number % 2)} for number, row in enumerate(rows())]
    said = run("long", save(tmp_path / "in.parquet", content), tmp_path / "o.parquet", "--where", 'day="2026-01-01"')
    assert "every query" in said or said.startswith("wrote ")


@pytest.mark.parametrize("value", [10**19, 2**63 - 1, 2.5, 1e30])
def test_counts_are_whole_and_such_as_can_be_summed(tmp_path: Path, value: float):
    said = run("long", save(tmp_path / "in.jsonl", changed(2, prompt_tokens=value)), tmp_path / "out.parquet")
    assert "row 2, column 'prompt_tokens': expected a whole number from 0 to" in said


def test_an_integer_that_parquet_cannot_convert_is_named_in_its_row(tmp_path: Path):
    content = [{**row, "latency_s": 2**60 + 1 if number == 5 else 1} for number, row in enumerate(rows())]
    said = run("long", save(tmp_path / "in.parquet", content), tmp_path / "out.parquet")
    assert f"row 5, column 'latency_s': expected a number, found {2**60 + 1}" in said


def test_seeds_of_64_bits_are_told_apart(tmp_path: Path):
    content = [{**row, "seed": 2**60 + seed} for row in rows() for seed in (1, 0)]
    assert imported(save(tmp_path / "in.jsonl", content), "--repeat-column", "seed").n_repeats == 2


def test_uneven_repeats_are_said_with_what_helps(tmp_path: Path):
    content = [*({**row, "run": 1} for row in rows()), {**rows()[0], "run": 2}]
    said = run("long", save(tmp_path / "in.jsonl", content), tmp_path / "out.parquet", "--repeat-column", "run")
    assert "all 2 repeats, which 12.5% of all pairs have, for LLM 'large', found none" in said
    assert "--repeat-column - with --keep last reads one of each pair's rows" in said
    flags = ["--repeat-column", "-", "--keep", "last"]
    assert imported(tmp_path / "in.jsonl", *flags).is_complete


def test_half_a_character_in_a_deep_object_is_one_line(tmp_path: Path):
    line = '{"a": ' + "[" * 400 + '"\\ud83d"' + "]" * 400 + "}"
    (tmp_path / "in.jsonl").write_text(line)
    said = run("long", tmp_path / "in.jsonl", tmp_path / "out.parquet")
    assert "in.jsonl" in said


def test_blanks_before_data_and_one_odd_byte(tmp_path: Path):
    path = save(tmp_path / "in.jsonl", rows())
    path.write_text("\n" * 500 + path.read_text())
    assert imported(path).n_queries == 4
    (tmp_path / "odd.csv").write_bytes(b"\x80")
    assert "pickle" not in run("long", tmp_path / "odd.csv", tmp_path / "o.parquet")


def test_scores_of_others_need_no_references_to_be_0(tmp_path: Path):
    content = [{**row, "accuracy": 0.0, "reference": None} for row in rows()]
    assert imported(save(tmp_path / "in.jsonl", content)).notes == ()


def test_an_empty_latency_column_leaves_room_for_drawn_ones(tmp_path: Path):
    run("long", save(tmp_path / "a.jsonl", rows()), tmp_path / "recorded.parquet")
    path = save(tmp_path / "in.jsonl", [{**row, "latency_s": None} for row in rows()])
    assert (imported(path, "--latency-from", str(tmp_path / "recorded.parquet")).latency_s == 2).all()


def test_the_table_keeps_how_it_was_made(tmp_path: Path):
    path = save(tmp_path / "in.jsonl", rows())
    save(tmp_path / "more.jsonl", [{"query_id": "q0", "tier": "a"}])
    flags = ["--score-range", "0,2", "--clip", "--where", "llm=small", "--join", f"k={tmp_path}/more.jsonl:query_id"]
    table = imported(path, *flags, "--context-column", "context", "--keep", "last")
    assert table.metadata["imported_as"] == "long"
    assert table.metadata["imported_with"] == {
        "context_column": "context",
        "score_range": "0,2",
        "clip": True,
        "where": ["llm=small"],
        "join": ["k=more.jsonl:query_id"],
        "keep": "last",
    }
    assert str(tmp_path) not in json.dumps(table.metadata)


def test_rows_without_a_partner_are_counted_and_keys_equal_as_numbers(tmp_path: Path):
    content = [{**row, "number": float(row["query_id"][1])} for row in rows()]
    path = save(tmp_path / "in.jsonl", content)
    save(tmp_path / "known.jsonl", [{"n": str(number), "topic": "x"} for number in range(3)])
    flags = ["--join", f"known={tmp_path}/known.jsonl:number=n", "--reference-column", "known.topic"]
    said = run("long", path, tmp_path / "out.parquet", *flags)
    assert "rows to which no row of 'known' belongs: 2" in said
    table = OutcomeTable.read(tmp_path / "out.parquet")
    assert [query.references for query in table.queries] == [("x",), ("x",), ("x",), ()]


def test_files_that_say_less_than_the_first_are_one_line(tmp_path: Path):
    for folder, name in (("a", "samples_t1_2026.jsonl"), ("b", "samples_x.jsonl")):
        (tmp_path / folder).mkdir()
        save(tmp_path / folder / name, [{"doc_id": 0, "doc": {"question": "Q?"}, "acc": 1}])
    said = run("lm-eval", tmp_path, tmp_path / "out.parquet")
    assert "samples_x.jsonl: nothing says its context" in said


def test_a_log_of_helm_that_is_laid_out_otherwise_is_one_line(tmp_path: Path):
    run_folder = tmp_path / "suite" / "run"
    run_folder.mkdir(parents=True)
    (run_folder / "display_predictions.json").write_text('[{"instance_id": "id1", "predicted_text": "A"}]')
    (run_folder / "instances.json").write_text(
        '[{"id": "id1", "input": {"text": "Q"}, "references": [{"tags": ["correct"]}]}]'
    )
    (run_folder / "per_instance_stats.json").write_text('[{"instance_id": "id1", "stats": null}]')
    said = run("helm", tmp_path / "suite", tmp_path / "out.parquet")
    assert "Unknown column" in said or "not laid out as such files are (KeyError: 'output')" in said
    (run_folder / "run_spec.json").write_text('{"name": "x"}')
    assert "run_spec.json: expected the name of a run" in run("helm", tmp_path / "suite", tmp_path / "out.parquet")


def test_an_aborted_log_of_inspect_is_passed_over(tmp_path: Path):
    sample = {
        "id": 1,
        "epoch": 1,
        "input": "Q?",
        "target": "A",
        "output": {"completion": "A"},
        "scores": {"s": {"value": "C"}},
    }
    for name, samples in (("a", [sample]), ("b", None), ("c", [])):
        log = {"eval": {"model": "m", "task": "t"}, "samples": samples}
        (tmp_path / f"{name}.json").write_text(json.dumps(log))
    said = run("inspect", tmp_path, tmp_path / "out.parquet")
    assert "1 queries x 1 LLMs" in said


def test_members_are_counted_in_errors(tmp_path: Path):
    samples = [{"id": number, "llm": "a", "score": 1 if number < 3 else 9, "prompt": "p"} for number in range(5)]
    (tmp_path / "in.json").write_text(json.dumps({"task": "t", "runs": samples}))
    flags = [
        f"--{flag}-column=runs.*.{key}"
        for flag, key in (("query", "id"), ("llm", "llm"), ("accuracy", "score"), ("prompt", "prompt"))
    ]
    said = run("long", tmp_path / "in.json", tmp_path / "o.parquet", *flags, "--context-column", "task")
    assert "row 3, column 'runs.*.score': expected a number in [0, 1], found 9.0" in said


def test_a_folder_of_parts_that_is_named_like_a_file_is_searched(tmp_path: Path):
    (tmp_path / "spark" / "runs.json").mkdir(parents=True)
    save(tmp_path / "spark" / "runs.json" / "part-0000.jsonl", rows())
    assert run("long", tmp_path / "spark", tmp_path / "out.parquet").startswith("wrote ")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--note", "kept on\nMonday"), "scorer and notes: expected text without control characters"),
        (("--scorer-name", ""), "The scorer's name is empty"),
        (("--scorer-name", "judge\x1b[2J"), "scorer and notes: expected text without control characters"),
    ],
)
def test_a_table_that_nobody_could_open_takes_the_place_of_none(tmp_path: Path, flags: tuple[str, str], message: str):
    path = save(tmp_path / "in.jsonl", rows())
    imported(path)
    before = (tmp_path / "out.parquet").read_bytes()
    assert message in run("long", path, tmp_path / "out.parquet", "--overwrite", *flags)
    assert (tmp_path / "out.parquet").read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"in.jsonl", "out.parquet"}


def test_nor_does_one_that_is_found_so_only_when_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = save(tmp_path / "in.jsonl", rows())
    imported(path)
    before = (tmp_path / "out.parquet").read_bytes()
    monkeypatch.setattr(writing, "check_names", lambda *arguments: None)
    said = run("long", path, tmp_path / "out.parquet", "--overwrite", "--note", "kept on\nMonday")
    assert "expected text without control characters" in said
    assert (tmp_path / "out.parquet").read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"in.jsonl", "out.parquet"}
