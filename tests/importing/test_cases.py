"""Small inputs that once failed to import, or imported wrongly, and what is right about them, by the command."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.tables.table import OutcomeTable

Row = dict[str, Any]


def rows(n_queries: int = 8, llms: tuple[str, ...] = ("small", "large")) -> list[Row]:
    """Return a row per query and LLM, in which the first LLM is right on the odd queries."""
    return [
        {
            "query_id": f"q{query}",
            "context": ("math", "law")[query % 2],
            "prompt": f"What is {query}+1?",
            "reference": str(query + 1),
            "llm": llm,
            "response": "no idea",
            "accuracy": float((query + number) % 2),
            "cost_usd": 0.001 * (number + 1),
            "latency_s": 0.2 + number / 2 + query / 100,
        }
        for query in range(n_queries)
        for number, llm in enumerate(llms)
    ]


def run(tmp_path: Path, content: list[Row] | str, *flags: str, name: str = "in.jsonl", kind: str = "long") -> str:
    """Import a file, and return what was said, errors included."""
    text = content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content)
    (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = ["import", kind, str(tmp_path / name), str(tmp_path / "out.parquet"), "--overwrite", *flags]
    done = CliRunner().invoke(app, arguments)
    if done.exception is not None:
        assert isinstance(done.exception, ValueError), done.exception
        assert "\n" not in str(done.exception)
        return str(done.exception)
    return done.output


def table(tmp_path: Path) -> OutcomeTable:
    return OutcomeTable.read(tmp_path / "out.parquet")


def test_a_key_that_appears_late_is_a_column(tmp_path: Path):
    content = rows(60, ("local-a", "local-b", "api"))
    late = [{key: row[key] for key in row if key != "cost_usd" or row["llm"] == "api"} for row in content]
    late.sort(key=lambda row: row["llm"] == "api")
    said = run(tmp_path, late)
    assert "queries with all numbers (accuracy, cost_usd, latency_s) for LLM 'local-a', found none" in said
    assert said == run(tmp_path, late, "--cost-column", "cost_usd")
    run(tmp_path, late, "--missing-cost", "0")
    assert table(tmp_path).llm_means(table(tmp_path).cost_usd).tolist() == pytest.approx([0, 0, 0.003])


def test_milliseconds_are_never_seconds_in_silence(tmp_path: Path):
    content = [
        {("latency_ms" if k == "latency_s" else k): v * 1000 if k == "latency_s" else v for k, v in row.items()}
        for row in rows()
    ]
    said = run(tmp_path, content, "--latency-column", "latency_ms")
    assert "column 'latency_ms' looks like ms: give --latency-unit ms, or --latency-unit s" in said
    run(tmp_path, content, "--latency-column", "latency_ms", "--latency-unit", "ms")
    assert table(tmp_path).llm_means(table(tmp_path).latency_s).tolist() == pytest.approx([0.235, 0.735])
    hidden = [{**row, "latency_s": row["latency_s"] * 1000 + 1000} for row in rows()]
    assert "looks like milliseconds; --latency-unit ms says so" in run(tmp_path, hidden)
    stamps = [{**row, "latency_s": 1.79e9} for row in rows()]
    assert "looks like a time of day" in run(tmp_path, stamps)
    dear = [{**row, "cost_usd": row["cost_usd"] * 5000} for row in rows()]
    assert "looks like dollars of 1,000 calls, or cents; --cost-unit usd_per_1k" in run(tmp_path, dear)
    assert "looks like" not in run(tmp_path, rows())


@pytest.mark.parametrize("epochs", [(1, 2, 3), (7, 70, 700), ("b", "a", "c")])
def test_repeats_may_be_counted_from_anything(tmp_path: Path, epochs: tuple[Any, ...]):
    content = [{**row, "epoch": epoch, "cost_usd": number} for row in rows() for number, epoch in enumerate(epochs)]
    assert "8 queries x 2 LLMs x 2 contexts, 3 repeats" in run(tmp_path, content, "--repeat-column", "epoch")
    assert table(tmp_path).cost_usd[3, 1].tolist() == [0, 1, 2]


def test_errors_and_successes_are_failed_calls(tmp_path: Path):
    content = [
        {**row, "error": "HTTP 500: upstream" if row["query_id"] < "q4" and row["llm"] == "small" else None}
        for row in rows()
    ]
    run(tmp_path, content)
    assert table(tmp_path).failed[:, :, 0].sum(axis=0).tolist() == [4, 0]
    content = [
        {
            **row,
            "ok": row["llm"] == "large",
            "accuracy": 1.0 if row["llm"] == "large" else None,
            "latency_s": None if row["llm"] == "small" else 1,
        }
        for row in rows()
    ]
    run(tmp_path, content, "--success-column", "ok")
    assert table(tmp_path).failed.all(axis=(0, 2)).tolist() == [True, False]
    assert table(tmp_path).accuracy("recorded")[:, 0].max() == 0
    assert table(tmp_path).text("error", 0, 0, 0) == "ok is False"
    said = run(tmp_path, [{**row, "ok": "perhaps"} for row in rows()], "--success-column", "ok")
    assert "row 0, column 'ok': expected whether the call succeeded" in said


def test_llms_that_are_all_free_can_be_inspected(tmp_path: Path):
    run(tmp_path, [{**row, "cost_usd": 0.0} for row in rows(24)])
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "out.parquet")])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("digits", [400, 5000])
def test_an_integer_beyond_floats_is_one_line(tmp_path: Path, digits: int):
    content = [{**row, "prompt_tokens": 5} for row in rows()]
    lines = [json.dumps(row) for row in content]
    lines[3] = lines[3].replace('"prompt_tokens": 5', f'"prompt_tokens": {"1" + "0" * digits}')
    said = run(tmp_path, "\n".join(lines))
    where = "row 3, column 'prompt_tokens': expected a number, found 1000" if digits == 400 else "line 4: expected JSON"
    assert where in said
    assert len(said) < 500


def test_half_a_character_is_replaced_and_said(tmp_path: Path):
    content = rows()
    content[3]["response"] = "fine \ud83d"
    assert "rows with half a character, replaced by \N{REPLACEMENT CHARACTER}: 1" in run(tmp_path, content)
    assert table(tmp_path).text("response", 1, 1, 0) == "fine \N{REPLACEMENT CHARACTER}"
    content[3]["response"] = "whole \N{GRINNING FACE}"
    assert "half a character" not in run(tmp_path, content)
    assert table(tmp_path).text("response", 1, 1, 0) == "whole \N{GRINNING FACE}"


@pytest.mark.parametrize("text", [json.dumps(rows(), indent=1), json.dumps(rows()), json.dumps({"runs": rows()})])
def test_a_json_array_or_an_object_around_it(tmp_path: Path, text: str):
    names = ("query_id", "llm", "prompt", "context", "accuracy")
    flags = [f"--{name.removesuffix('_id')}-column=runs.*.{name}" for name in names] if text.startswith("{") else []
    assert "8 queries x 2 LLMs" in run(tmp_path, text, *flags, name="in.json")


def test_dotted_names_reach_into_objects_and_a_typo_in_one_is_said(tmp_path: Path):
    content = [
        {"id": row["query_id"], "doc": {"q": row["prompt"], "topic": row["context"]}, "model": row["llm"],
         "metrics": {"exact_match": row["accuracy"]}, "usage": {"cost": row["cost_usd"]}}
        for row in rows()
    ]  # fmt: skip
    flags = ["--query-column", "id", "--prompt-column", "doc.q", "--context-column", "doc.topic"]
    flags += ["--accuracy-column", "metrics.exact_match"]
    assert "8 queries x 2 LLMs x 2 contexts" in run(tmp_path, content, *flags, "--cost-column", "usage.cost")
    assert table(tmp_path).cost_usd[0].ravel().tolist() == [0.001, 0.002]
    assert "Unknown column 'usage.cots'. Did you mean 'usage.cost'?" in run(
        tmp_path, content, *flags, "--cost-column", "usage.cots"
    )


def test_a_star_is_a_row_of_each(tmp_path: Path):
    content = [
        {
            "prompt": f"p{n}",
            "source": "mmlu",
            "arms": {"a": {"reward": 1, "cost": 0.5}, "b": {"reward": 0.25 * n, "cost": 2}},
        }
        for n in range(3)
    ]
    flags = ["--query-column", "prompt", "--context-column", "source", "--llm-column", "arms.*"]
    said = run(tmp_path, content, *flags, "--accuracy-column", "arms.*.reward", "--cost-column", "arms.*.cost")
    assert "3 queries x 2 LLMs" in said
    assert table(tmp_path).llm_names == ("a", "b")
    assert table(tmp_path).accuracy("recorded")[:, :, 0].tolist() == [[1, 0], [1, 0.25], [1, 0.5]]


@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_the_separator_is_found_in_the_header(tmp_path: Path, separator: str):
    content = rows()
    lines = [separator.join(content[0]), *(separator.join(map(str, row.values())) for row in content)]
    said = run(tmp_path, "\ufeff" + "\n".join(lines), name="in.csv")
    assert "8 queries x 2 LLMs" in said
    assert "Unknown column 'query_id'. Known: query_id" in run(
        tmp_path, "\n".join(lines), "--separator=#", name="in.csv"
    )


WIDE = "prompt,org/small-7b,big-4,org/small-7b_response,big-4_response\n" + "".join(
    f"What is {n}+1?,{n % 2 == 1},{n % 3 != 0},a,b\n" for n in range(8)
)


@pytest.mark.parametrize("flags", [("--llms", "org/small-7b,big-4"), ("--response-column", "{llm}_response")])
def test_scores_alone_in_a_column_of_each_llm(tmp_path: Path, flags: tuple[str, ...]):
    always = ["--query-column", "prompt", "--prompt-column", "prompt", "--context", "gsm8k"]
    assert "8 queries x 2 LLMs" in run(tmp_path, WIDE, *always, *flags, name="in.csv", kind="routerbench")
    assert table(tmp_path).llm_names == ("org/small-7b", "big-4")
    assert table(tmp_path).accuracy("recorded")[:, 0, 0].tolist() == [0, 1] * 4
    assert "found none" in run(tmp_path, WIDE, *always, "--llms", "big-5", name="in.csv", kind="routerbench")


def test_letters_and_words_need_a_map_and_get_one(tmp_path: Path):
    content = [{**row, "accuracy": "CI"[int(row["accuracy"])]} for row in rows()]
    said = run(tmp_path, content)
    assert "row 0, column 'accuracy': expected a number, found 'C'; --score-map WORD=NUMBER,... such as C=1,I=0" in said
    run(tmp_path, content, "--score-map", "C=1, i=0")
    assert table(tmp_path).accuracy("recorded")[0, :, 0].tolist() == [1, 0]


def test_scores_beyond_the_range_are_refused_or_clipped(tmp_path: Path):
    content = rows()
    content[5]["accuracy"] = -0.033
    said = run(tmp_path, content)
    assert "row 5, column 'accuracy': expected a number in [0, 1], found -0.033; --score-range LOW,HIGH" in said
    assert "--clip" in said
    run(tmp_path, content, "--clip")
    assert table(tmp_path).accuracy("recorded")[2, 1, 0] == 0
    run(tmp_path, content, "--score-range=-1,1")
    assert table(tmp_path).accuracy("recorded")[2, 1, 0] == pytest.approx(0.4835)


def test_a_sparse_file_keeps_its_queries(tmp_path: Path):
    content = [row for n, row in enumerate(rows(40, tuple("abcdefgh"))) if n % 10]
    assert "40 queries x 8 LLMs" in run(tmp_path, content)
    assert np.isclose(table(tmp_path).present.mean(), 0.9)
    said = run(tmp_path, content, "--drop-incomplete")
    assert "8 queries x 8 LLMs" in said
    assert "no fair sample" in said


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--exclude-llm=smal", "Unknown LLM for --exclude-llm 'smal'. Did you mean 'small'?"),
        ("--latency-unit=sec", "Unknown unit for --latency-unit 'sec'."),
        ("--cost-unit=usd_per_k", "Did you mean 'usd_per_1k'?"),
        ("--llm-from=file", "Unknown value for --llm-from 'file'. Did you mean 'filename'?"),
        ("--keep=lst", "Unknown value for --keep 'lst'. Did you mean 'last'?"),
        ("--where=context=maths", "Unknown value for --where context 'maths'. Did you mean 'math'?"),
        ("--where=contxt=math", "Unknown column 'contxt'. Did you mean 'context'?"),
        ("--where=context", "--where must be COLUMN=VALUE, got 'context'"),
        ("--score-map=C:1", "--score-map must be WORD=NUMBER, such as C=1,I=0,P=0.5, got 'C:1'"),
        ("--score-range=5", "--score-range must be LOW,HIGH such as 0,100, got '5'"),
        ("--score-range=1,0", "--score-range must be LOW,HIGH, the lower first, got 1,0"),
        ("--separator=;;", "--separator must be one ASCII character, got ';;'"),
        ("--score-with=exact", "Unknown scorer 'exact'."),
        ("--join=a.jsonl", "--join must be NAME=FILE:KEY or NAME=FILE:KEY=THEIRS, got 'a.jsonl'"),
        ("--missing-cost=nan", "--missing-cost must be a finite number of dollars, 0 or more, got nan"),
        ("--encoding=utf-9", "--encoding 'utf-9' does not fit the file"),
        ("--cost-column=cost", "Unknown column 'cost'. Did you mean 'cost_usd'?"),
        ("--repeat-column=latency", "Unknown column 'latency'. Did you mean 'latency_s'?"),
    ],
)  # fmt: skip
def test_a_typo_in_a_flags_value_is_one_line_that_helps(tmp_path: Path, flag: str, said: str):
    assert said in run(tmp_path, rows(), flag)
    assert not (tmp_path / "out.parquet").exists()


def test_leaving_out_everything_is_said(tmp_path: Path):
    said = run(tmp_path, rows(), "--exclude-llm", "small", "--exclude-llm", "large")
    assert "expected rows, found none but of LLMs to leave out" in said
