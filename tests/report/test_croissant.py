"""`pickllm export croissant`: mlcroissant reads the document, and the table through it; nothing is made up."""

import json
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tables import queries, random_table, records, sparse_table

from llm_routing_env import cli
from llm_routing_env.report.croissant import FIELDS, croissant_document, missing_fields, read_fields
from llm_routing_env.tables.shipped import DATA, shipped_tables
from llm_routing_env.tables.table import OutcomeTable

LLMS = ("small", "large")
Document = dict[str, Any]


def needs_mlcroissant() -> Any:
    return pytest.importorskip("mlcroissant")


def written(folder: Path, table: OutcomeTable) -> OutcomeTable:
    table.write(folder / "t.parquet")
    return OutcomeTable.read(folder / "t.parquet")


def small_table(folder: Path, **metadata: Any) -> OutcomeTable:
    asked = queries(2)
    rows = records(asked, LLMS, [[[1.0], [0.0]]], [[[1e-5], [1e-4]]], 0.1)
    return written(folder, OutcomeTable.from_records(asked, LLMS, rows, metadata))


def described(table: OutcomeTable, **given: list[str]) -> Document:
    needs_mlcroissant()
    return croissant_document(table, given)


def columns(document: Document) -> dict[str, Document]:
    return {field["name"]: field for field in document["recordSet"][0]["field"]}


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["pickllm", "export", *arguments])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_mlcroissant_finds_no_error_and_reads_the_rows(tmp_path: Path):
    mlc = needs_mlcroissant()
    table = written(tmp_path, sparse_table())
    path = tmp_path / "croissant.json"
    path.write_text(json.dumps(croissant_document(table)))
    dataset = mlc.Dataset(path)
    assert not dataset.metadata.ctx.issues.errors
    found = list(islice(dataset.records("outcomes"), 50))
    assert len(found) == 50
    for record in found:
        row = {name.removeprefix("outcomes/"): value for name, value in record.items()}
        assert set(row) == set(table.columns)
        query, llm = table.query_ids.index(row["query_id"].decode()), table.llm_names.index(row["llm"].decode())
        assert row["cost_usd"] == table.cost_usd[query, llm, row["repeat"]]
        assert row["accuracy_exact_match"] == table.accuracies["exact_match"][query, llm, row["repeat"]]
        assert [text.decode() for text in row["references"]] == list(table.queries[query].references)
        assert row["error"] is None


def test_a_file_that_is_another_one_by_now_is_refused(tmp_path: Path):
    mlc = needs_mlcroissant()
    (tmp_path / "croissant.json").write_text(json.dumps(croissant_document(written(tmp_path, random_table(0)))))
    written(tmp_path, random_table(1))
    with pytest.raises(mlc.GenerationError, match="Download") as refused:
        next(iter(mlc.Dataset(tmp_path / "croissant.json").records("outcomes")))
    assert "not identical" in str(refused.value.__cause__)


@pytest.mark.parametrize("name", shipped_tables())
def test_the_document_of_a_shipped_table_is_of_that_table(name: str):
    document = json.loads((DATA / name / "croissant.json").read_text())
    (file,) = document["distribution"]
    table = DATA / name / file["contentUrl"]
    assert file["sha256"] == OutcomeTable.read(name).sha256
    assert file["contentSize"] == f"{table.stat().st_size} B"
    assert missing_fields(document) == ["url", "datePublished"]


@pytest.mark.parametrize("name", shipped_tables())
def test_the_document_of_a_shipped_table_is_what_the_command_makes_and_mlcroissant_reads_it(name: str):
    mlc = needs_mlcroissant()
    committed = json.loads((DATA / name / "croissant.json").read_text())
    table = OutcomeTable.read(name)
    assert croissant_document(table, read_fields([], DATA / name / "croissant.toml")) == committed
    dataset = mlc.Dataset(DATA / name / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    for record in islice(dataset.records("outcomes"), 5):
        query, llm = (record[f"outcomes/{name}"].decode() for name in ("query_id", "llm"))
        cell = table.query_ids.index(query), table.llm_names.index(llm), record["outcomes/repeat"]
        assert record["outcomes/response"].decode() == table.text("response", *cell)
        assert record["outcomes/latency_s"] == table.latency_s[cell]


def test_types_units_and_the_key(tmp_path: Path):
    document = described(small_table(tmp_path))
    found = columns(document)
    kinds = {name: found[name]["dataType"] for name in ("llm", "repeat", "prompt_tokens", "cost_usd", "error")}
    assert list(kinds.values()) == ["sc:Text", "sc:Integer", "sc:Integer", "sc:Float", "sc:Text"]
    assert found["references"]["repeated"]
    assert "US dollars" in found["cost_usd"]["description"]
    assert "seconds" in found["latency_s"]["description"]
    key = [part["@id"] for part in document["recordSet"][0]["key"]]
    assert key == ["outcomes/query_id", "outcomes/llm", "outcomes/repeat"]


def test_a_column_of_an_odd_name_is_read(tmp_path: Path):
    mlc = needs_mlcroissant()
    asked = queries(2)
    rows = [
        {**row, "accuracy_cosine:a/b c": 0.5, "measure_Größe": 2.0}
        for row in records(asked, LLMS, [[[1.0]]], 1e-5, 0.1)
    ]
    table = written(tmp_path, OutcomeTable.from_records(asked, LLMS, rows, {}))
    (tmp_path / "croissant.json").write_text(json.dumps(croissant_document(table)))
    record = next(iter(mlc.Dataset(tmp_path / "croissant.json").records("outcomes")))
    assert record["outcomes/accuracy_cosine%3Aa%2Fb%20c"] == 0.5
    assert record["outcomes/measure_Gr%C3%B6%C3%9Fe"] == 2.0


def test_a_recording_says_how_it_was_made(tmp_path: Path):
    price = {"input_price_usd_per_mtok": 1.0, "output_price_usd_per_mtok": 2.0, "hardware_usd_per_hour": 0.0}
    facts = {"pool": {"name": "mine"}, "concurrency": 4, "hardware": {"cpu": "a processor"}, "prices": {"small": price}}
    document = described(small_table(tmp_path, recorded_at="2026-11-21T04:02:18+00:00", **facts))
    said = document["rai:dataCollection"]
    for part in ("of the pool mine", "at most 4 requests in flight", "cpu a processor", "2026-11-21T04:02:18+00:00"):
        assert part in said
    assert document["rai:dataCollectionTimeframe"] == document["dateCreated"] == "2026-11-21T04:02:18Z"
    assert "small 1.0 and 2.0" in document["rai:dataPreprocessingProtocol"]
    assert "exact_match, 1 where" in document["rai:dataAnnotationProtocol"]


def test_an_import_says_whose_numbers_they_are_and_what_is_not_measured(tmp_path: Path):
    facts = {"source": {"file": "theirs.csv", "sha256": "ab"}, "latency": "simulated from nano", "notes": ["A remark."]}
    document = described(small_table(tmp_path, **facts))
    assert "theirs.csv (sha256 ab), which somebody else recorded" in document["rai:dataCollection"]
    assert document["rai:dataCollectionType"] == "Secondary Data Analysis"
    assert document["rai:dataLimitations"] == ["The latency is simulated from nano.", "A remark."]
    assert "Not measured: simulated from nano" in columns(document)["latency_s"]["description"]
    assert "up to case" not in columns(document)["accuracy_exact_match"]["description"]
    assert not {"dateCreated", "rai:dataAnnotationProtocol", "rai:dataCollectionTimeframe"} & set(document)


def test_what_is_not_recorded_is_said(tmp_path: Path):
    asked = queries(2)
    rows = records(asked, LLMS, [[[1.0]]], float("nan"), float("nan"))
    document = described(written(tmp_path, OutcomeTable.from_records(asked, LLMS, rows, {})))
    assert "Not recorded" in columns(document)["cost_usd"]["description"]
    assert document["rai:dataLimitations"] == ["The table records no cost.", "The table records no latency."]


@pytest.mark.parametrize("key", ["pool", "prices", "hardware", "versions", "concurrency", "source"])
def test_metadata_of_another_shape_is_left_out(tmp_path: Path, key: str):
    for value in ({"a": None}, *([] if key == "pool" else [["a"], "a", None])):
        table = small_table(tmp_path, **{key: value}, **({} if key == "source" else {"recorded_at": "2026-11-21"}))
        assert described(table)["name"] == "t"


def test_what_is_given_stands_behind_what_is_derived_and_the_rest_is_named(tmp_path: Path):
    given = {
        "rai:dataLimitations": ["Mine."],
        "creator": ["A. Person"],
        "organization": ["A Group"],
        "version": ["1.0.0"],
    }
    document = described(small_table(tmp_path, notes=["The table's."]), **given)
    assert document["rai:dataLimitations"] == ["The table's.", "Mine."]
    assert [(who["@type"], who["name"]) for who in document["creator"]] == [
        ("sc:Person", "A. Person"),
        ("sc:Organization", "A Group"),
    ]
    assert missing_fields(document) == [n for n in FIELDS if n not in ("creator", "version", "rai:dataLimitations")]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"licence": ["MIT"]}, "Unknown field 'licence'. Did you mean 'license'"),
        ({"url": ["a", "b"]}, "url holds one text, got 2: 'a', 'b'"),
        ({"datePublished": ["soon"]}, "datePublished must be a date such as 2026-11-21, got 'soon'"),
    ],
)
def test_what_cannot_be_given_is_refused(tmp_path: Path, given: dict[str, list[str]], why: str):
    with pytest.raises(ValueError, match=why):
        described(small_table(tmp_path), **given)


def test_a_date_that_is_none_in_the_table_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="must be a date"):
        described(small_table(tmp_path, recorded_at=5))


def test_fields_are_read_from_a_file_and_from_the_command(tmp_path: Path):
    path = tmp_path / "f.toml"
    path.write_text('license = "MIT"\n"rai:dataBiases" = ["one", "two"]\n')
    assert read_fields(["rai:dataBiases=three=3"], path) == {
        "license": ["MIT"],
        "rai:dataBiases": ["one", "two", "three=3"],
    }


@pytest.mark.parametrize("text", ["url", "=a", "url="])
def test_an_assignment_of_another_form_is_refused(text: str):
    with pytest.raises(ValueError, match="--field must look like license="):
        read_fields([text], None)


@pytest.mark.parametrize("text", ["license = 5", "license = [1]", "rai:dataBiases = 'a'", "[a]\nb = 1"])
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str):
    (tmp_path / "f.toml").write_text(text)
    with pytest.raises(ValueError, match=r"f\.toml"):
        read_fields([], tmp_path / "f.toml")


def test_the_command_writes_the_document_and_names_what_is_missing(tmp_path: Path, monkeypatch, capsys):
    needs_mlcroissant()
    small_table(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert ended(monkeypatch, "croissant", "t.parquet", "c.json", "--field", "license=MIT") == 0
    assert json.loads(Path("c.json").read_text())["license"] == "MIT"
    said = capsys.readouterr()
    assert "wrote c.json" in said.out
    assert said.err.startswith("not known, and left out: creator, citeAs, ")
    assert "--field NAME=TEXT" in said.err
    assert ended(monkeypatch, "croissant", "t.parquet") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "t"


def test_without_mlcroissant_one_line_names_the_extra(tmp_path: Path, monkeypatch, capsys):
    path = small_table(tmp_path).path
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    assert ended(monkeypatch, "croissant", str(path)) == 2
    said = capsys.readouterr().err
    assert said == 'pickllm: Croissant needs mlcroissant: pip install "llm-routing-env[croissant]".\n'
