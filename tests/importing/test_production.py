"""The table "production3": made of an installed package's data, cached, and what its numbers are."""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llm_routing_env.cache import CACHE_DIR_VARIABLE
from llm_routing_env.cli import embed
from llm_routing_env.importing import production
from llm_routing_env.observations.embedding_file import embeddings_path
from llm_routing_env.tables.table import OutcomeTable

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CELLS = {"llama": (0.25, 1e-5), "mistral": (0.5, 2e-4), "gemini": (1.0, 4e-2)}
# By file: source and prompt; "arc_challenge" is left out, and U+2028 ends no line.
ROWS = {
    "train": [("mmlu", "Why?"), ("arc_challenge", "Who?"), ("bbh/snarks", "Is\u2028it?")],
    "test": [("gsm8k", "2 + 2?"), ("bbh/navigate", "Where?"), ("hellaswag", "And then?")],
}


def row(source: str, prompt: str) -> dict[str, Any]:
    arms = {
        name: {"reward": reward, "cost": cost, "near_best": True}
        for name, (reward, cost) in zip(production.LLMS.values(), CELLS.values(), strict=True)
    }
    return {"prompt": prompt, "difficulty": "moderate", "arms": arms, "source": source}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a package of that name installed, whose data is known and whose code may not run."""
    folder = tmp_path / "site"
    (folder / "paretobandit-0.1.1.dist-info").mkdir(parents=True)
    (folder / "paretobandit-0.1.1.dist-info" / "METADATA").write_text("Name: paretobandit\nVersion: 0.1.1\n")
    for split, rows in ROWS.items():
        file = folder / production.SOURCES[split]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row(*cells), ensure_ascii=False) + "\n" for cells in rows), encoding="utf-8")
    (folder / "pareto_bandit" / "__init__.py").write_text("raise SystemExit('its code ran')")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(production, "SHA256", hashes(folder))
    return folder


def hashes(site: Path) -> dict[str, str]:
    return {split: hashlib.sha256((site / file).read_bytes()).hexdigest() for split, file in production.SOURCES.items()}


def test_each_row_of_the_files_becomes_a_query_of_every_llm(site: Path):
    table = OutcomeTable.read("production3")
    assert table.llm_names == ("llama-3.1-8b", "mistral-large-2512", "gemini-2.5-pro")
    found = {query.query_id: (query.context, query.split, query.prompt) for query in table.queries}
    assert found == {
        "val-1": ("mmlu", "train", "Why?"),
        "val-3": ("bbh", "train", "Is\u2028it?"),
        "test_holdout-1": ("gsm8k", "test", "2 + 2?"),
        "test_holdout-2": ("bbh", "test", "Where?"),
        "test_holdout-3": ("hellaswag", "test", "And then?"),
    }
    np.testing.assert_array_equal(table.accuracy("judge")[:, :, 0], [[0.25, 0.5, 1.0]] * 5)
    np.testing.assert_array_equal(table.cost_usd[:, :, 0], [[1e-5, 2e-4, 4e-2]] * 5)
    assert np.isnan(table.latency_s).all()
    assert table.texts("response").tolist() == [[[None]] * 3] * 5
    assert table.cost_scale_usd == pytest.approx(4e-2)


def test_the_table_says_where_it_is_from_and_what_its_scores_are(site: Path):
    table = OutcomeTable.read("production3")
    assert (table.name, table.scorer) == ("production3", "judge")
    assert table.metadata["licence"] == "Apache-2.0"
    source = table.metadata["source"]
    assert (source["package"], source["version"]) == ("paretobandit", "0.1.1")
    assert source["files"] == {production.SOURCES[split]: found for split, found in hashes(site).items()}
    said = " ".join(table.notes)
    assert all(text in said for text in ("judged", "no exact match", "records no latency", "--weights 1,0.5,0"))


def test_it_is_made_once(site: Path, monkeypatch: pytest.MonkeyPatch):
    path = production.table_path()
    monkeypatch.setattr(production, "_convert", None)
    assert production.table_path() == path


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: path.unlink(),
        os.truncate,
    ],
)
@pytest.mark.parametrize("name", ["outcomes.parquet", "outcomes.sha256"])
def test_a_damaged_table_is_made_anew(site: Path, name: str, damage: Any):
    path = production.table_path()
    before = path.read_bytes()
    damaged = path.with_name(name)
    damage(damaged, 20) if damage is os.truncate else damage(damaged)
    assert production.table_path() == path
    assert path.read_bytes() == before
    assert [folder.name for folder in path.parents[1].iterdir()] == ["production3"]


def test_one_flipped_bit_is_found(site: Path):
    path = production.table_path()
    before = path.read_bytes()
    path.write_bytes(before[:200] + bytes([before[200] ^ 1]) + before[201:])
    assert production.table_path().read_bytes() == before


def test_another_conversion_and_other_data_are_cached_apart(site: Path, monkeypatch: pytest.MonkeyPatch):
    paths = {production.table_path()}
    monkeypatch.setattr(production, "CONVERSION", production.CONVERSION + 1)
    paths.add(production.table_path())
    file = site / production.SOURCES["test"]
    file.write_text(json.dumps(row("mmlu", "Other?")) + "\n", encoding="utf-8")
    monkeypatch.setattr(production, "SHA256", hashes(site))
    paths.add(production.table_path())
    assert len(paths) == 3
    assert all(path.is_file() for path in paths)


def test_of_two_processes_that_make_it_the_first_ones_stays(site: Path):
    path = production.table_path()
    table = OutcomeTable.read(path)
    before = path.stat()
    production._keep(table, path.parent)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(table.queries) == 5  # texts are read now: the file has not changed under it
    assert [folder.name for folder in path.parents[1].iterdir()] == ["production3"]


def test_processes_that_start_together_all_read_a_whole_table(site: Path):
    code = (
        "from llm_routing_env.importing import production; from llm_routing_env.tables.table import OutcomeTable;"
        f"production.SHA256 = {hashes(site)!r}; table = OutcomeTable.read('production3');"
        "print(len({query.prompt for query in table.queries}))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(4)
    ]
    assert [process.communicate()[0].decode().strip() for process in started] == ["5"] * 4


def test_a_file_in_the_place_of_the_table_that_cannot_be_moved_is_said(site: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*names: Any) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(production.os, "rename", fail)
    with pytest.raises(OSError, match="expected to put the table 'production3' there"):
        production.table_path()


def test_other_data_is_refused(site: Path):
    (site / production.SOURCES["test"]).write_bytes(b"{}\n")
    with pytest.raises(
        ValueError, match=r"test_holdout.jsonl: expected the file of paretobandit 0\.1\.1 \(sha256 .*pip"
    ):
        OutcomeTable.read("production3")
    (site / production.SOURCES["test"]).unlink()
    with pytest.raises(ValueError, match=r"found that of 0\.1\.1 \(no such file\)"):
        OutcomeTable.read("production3")


def test_without_the_package_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(production, "distribution", missing)
    with pytest.raises(
        ImportError, match=r"PyPI's paretobandit 0\.1\.1 \(Apache-2\.0\), .*: pip install \"llm-rou.*duction\]"
    ):
        OutcomeTable.read("production3")


def test_the_command_says_in_one_line_that_the_data_is_of_another_version(site: Path):
    (site / "paretobandit-0.1.1.dist-info" / "METADATA").write_text("Name: paretobandit\nVersion: 0.2.0\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    command = [sys.executable, "-m", "llm_routing_env.cli", "inspect", "production3"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "expected the file of paretobandit 0.1.1" in done.stderr
    assert "found that of 0.2.0" in done.stderr


def test_the_extra_installs_the_version_that_is_expected():
    pin = f"{production.PACKAGE}=={production.VERSION}"
    assert PROJECT["optional-dependencies"]["production"] == [pin]
    assert pin in PROJECT["optional-dependencies"]["dev"]
    assert f'pip install "{PROJECT["name"]}[production]"' == production.INSTALL


def test_its_embeddings_lie_beside_it(site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def encode(texts: list[str], model: str, on_progress: Any) -> np.ndarray:
        return np.eye(len(texts), dtype=np.float32)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(embed, "encode_cached", encode)
    embed.embed(Path("production3"))
    assert embeddings_path(production.table_path()).is_file()
    assert not list(tmp_path.glob("*.parquet"))
    with pytest.raises(ValueError, match="nano comes with its embeddings"):
        embed.embed(Path("nano"))
