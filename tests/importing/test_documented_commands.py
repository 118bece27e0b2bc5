"""docs/importing.md: every command of the page is run, on the files that it shows and on the fixtures of the tools."""

import gzip
import json
import re
import shlex
from glob import glob
from pathlib import Path

import pyarrow as pa
import pytest
from imports import imported
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.importing import preset
from llm_routing_env.importing.presets import PRESETS
from llm_routing_env.tables.table import OutcomeTable

FILES = Path(__file__).parent / "files"
PAGE = (Path(__file__).parents[2] / "docs" / "importing.md").read_text(encoding="utf-8")
ELSEWHERE = "# not in this repository"
LINKS = {  # the names that the page gives to the fixtures
    "lm-results": "lm-eval",
    "benchmark_output/runs/v1": "helm",
    "logs": "inspect/logs",
    "cached_results": "routerarena/cached_results",
    "results": "alpaca-eval/results",
    "routerbench_0shot.csv": "routerbench/routerbench_toy_0shot.csv",
    "batches": "openai-batch",
}
FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = FENCE.findall(PAGE)  # kind and content
NAME = re.compile(r"`([\w./-]+\.(?:csv|jsonl?))`")


def shown_files() -> dict[str, str]:
    """Return the files that the page shows: each is called what the text before it names last."""
    texts = FENCE.sub("\0", PAGE).split("\0")
    return {
        NAME.findall(text)[-1]: content
        for text, (kind, content) in zip(texts, BLOCKS, strict=False)
        if kind in ("csv", "json")
    }


def blocks() -> list[str]:
    """Return the blocks with commands that can be run here."""
    return [content for kind, content in BLOCKS if kind in ("sh", "") and content.startswith("pickllm import ")]


def commands(block: str) -> list[tuple[list[str], list[str]]]:
    """Return each command of a block, and the lines that stand under it."""
    found: list[tuple[list[str], list[str]]] = []
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith("pickllm import "):
            found.append((shlex.split(line)[1:], []))
        else:
            found[-1][1].append(line)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder in which the page's files lie, as the current one."""
    for name, fixture in LINKS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(FILES / fixture)
    for name, content in shown_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    runs = (tmp_path / "runs.csv").read_bytes()
    (tmp_path / "runs.csv.gz").write_bytes(gzip.compress(runs))
    with pa.output_stream(tmp_path / "runs.csv.zst", compression="zstd") as file:
        file.write(runs)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command: list[str]) -> str:
    """Run a command as a shell would, and return all that it says."""
    words = [each for word in command for each in (sorted(glob(word)) or [word])]
    done = CliRunner().invoke(app, words)
    refused = isinstance(done.exception, ValueError)
    assert done.exit_code == 0 or refused, (words, done.output, done.exception)
    return f"{done.output}pickllm: {done.exception}\n" if refused else done.output


def test_every_command_of_the_page_says_what_stands_under_it(folder: Path):
    for command, lines in (each for block in blocks() for each in commands(block)):
        said = run(command)
        assert all(line in said for line in lines), (command, said)
        assert said.startswith("pickllm: ") == any(line.startswith("pickllm: ") for line in lines), (command, said)


def test_every_kind_has_a_section_and_a_command_that_is_run():
    run_here = {command[1] for block in blocks() for command, _ in commands(block)}
    assert run_here == PRESETS.keys()
    assert set(re.findall(r"^### ([a-z-]+)$", PAGE, re.MULTILINE)) == PRESETS.keys() - {"long"}


def test_a_command_is_left_out_only_where_the_page_says_so():
    others = [
        content for kind, content in BLOCKS if re.search("^pickllm import ", content, re.M) and content not in blocks()
    ]
    assert {block.partition("\n")[0] for block in others} == {ELSEWHERE}


def test_the_same_file_in_any_form_is_the_same_table(folder: Path):
    for name in ("runs.csv", "runs.csv.gz", "runs.csv.zst"):
        run(["import", "long", name, f"{name}.parquet"])
    first, *others = (
        OutcomeTable.read(Path(f"{name}.parquet")) for name in ("runs.csv", "runs.csv.gz", "runs.csv.zst")
    )
    assert all(list(other.queries) == list(first.queries) for other in others)
    assert first.accuracy("recorded")[:, :, 0].tolist() == [[1, 1], [0, 1], [0, 1]]


def test_every_flag_of_the_page_is_one_of_the_command():
    known = (
        CliRunner().invoke(app, ["import", "long", "--help"], env={"COLUMNS": "400", "TERMINAL_WIDTH": "400"}).output
    )
    ours = set(re.findall(r"(?<![-\w])--[a-z]+(?:-[a-z]+)*", PAGE)) - {"--log", "--to", "--responses"}  # of others
    assert {flag for flag in ours if flag not in known} == set()
    assert set(preset.FLAGS.values()) - {""} <= ours


def test_the_preset_of_the_page_reads_its_tools_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (code,) = (content for kind, content in BLOCKS if kind == "python")
    found: dict[str, preset.Preset] = {}
    exec(code, found)
    monkeypatch.setitem(PRESETS, "my-tool", found["PRESET"])
    for llm, grade in (("small", "fail"), ("large", "Pass")):
        task = {"id": "q1", "question": "2 + 2?", "subject": "maths"}
        row = {"task": task, "grade": grade, "elapsed_ms": 250}
        (tmp_path / f"{llm}.jsonl").write_text(json.dumps(row), encoding="utf-8")
    table = imported([tmp_path / "small.jsonl", tmp_path / "large.jsonl"], preset="my-tool").table
    assert table.llm_names == ("small", "large")
    assert table.accuracy("recorded").ravel().tolist() == [0, 1]
    assert table.latency_s.ravel().tolist() == [0.25, 0.25]
