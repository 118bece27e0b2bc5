"""README and docs do what they show: their Python blocks are executed, their `pickllm` commands run, on small numbers.

What is not run stands in `NOT_RUN` with its reason; its options are parsed nevertheless. Blocks of pages in `ELSEWHERE`
are run by tests of their own.
"""

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from llm_routing_env.agents.parts.plug_ins import found_in
from llm_routing_env.cli import app
from llm_routing_env.tables.shipped import DATA

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"importing", "plug-in", "datasheet-nano"}
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    if path.exists() and path.stem not in ELSEWHERE
]
LIVE = "asks running LLMs; run on vLLM by tests/live"
THEIRS = "somebody's file, which is not in this repository"
NOT_RUN = {  # a part of a command or of a Python block: why
    "pickllm serve": LIVE,
    "--backend vllm": LIVE,
    "pickllm load-curve": LIVE,
    "pickllm record": LIVE,
    "PickLLMLive-v0": LIVE,
    "head:6379": "a cluster; run on one of this machine by tests/evaluation and tests/recording",
    "cascades9": THEIRS,
    "omnisbench": THEIRS,
    "import lm-eval": "run by tests/importing",
}
FEW = {  # so that a command takes a second or two
    "compare": ["--sessions", "3", "--length", "20", "--training-seeds", "1"],
    "demo": ["--length", "20"],
    "train": ["--lifetime-queries", "60"],
}
NAMES = ("id", "query_id", "context", "model", "score", "cost_usd", "latency_s", "p")
FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = [pytest.mark.pages, pytest.mark.skipif(len(PAGES) < 10, reason="needs a clone")]


def reason(text: str) -> str | None:
    return next((why for part, why in NOT_RUN.items() if part in text), None)


def blocks(page: Path, kind: str) -> list[str]:
    return [text for found, text in FENCE.findall(page.read_text(encoding="utf-8")) if found == kind]


def commands(page: Path) -> list[str]:
    lines = "\n".join(blocks(page, "")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("pickllm ")]


def with_commands() -> list[Path]:
    return [page for page in PAGES if commands(page)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what pages speak of: a small table, logs, a module of one's own."""
    folder = tmp_path_factory.mktemp("files")
    table = pq.read_table(DATA / "nano" / "outcomes.parquet")
    kept = table["query_id"].unique()[::25]
    pq.write_table(
        table.filter(pc.is_in(table["query_id"].cast("string"), kept.cast("string"))), folder / "mine.parquet"
    )
    rows = [[f"r{i}", f"q{i}", "art", f"llm{i % 3}", i % 2, 1e-4 * (1 + i % 3), 0.5, 0.25] for i in range(60)]
    choices = pyarrow.table(dict(zip(NAMES, zip(*rows, strict=True), strict=True)))
    pq.write_table(choices, folder / "choices.parquet")
    pyarrow.csv.write_csv(choices, folder / "choices.csv")
    (folder / "my_module.py").write_text(
        "class MyAgent:\n    def __init__(self, task):\n        pass\n"
        "    def select_action(self, observation):\n        return 1\n"
        "    def update(self, observation, action, reward):\n        pass\n",
        encoding="utf-8",
    )
    run(["compare", "--split", "train", "--agents", "random", "--log-steps", "--out", str(folder / "RUN")], few=True)
    shutil.copytree(folder / "RUN", folder / "old")
    shutil.copy(folder / "mine.parquet", folder / "table.parquet")
    outcomes = (
        "query_id,llm,score,prompt,context,ms,cost_usd\nq1,a,1,2 + 2?,maths,400,0.1\nq1,b,1,2 + 2?,maths,900,0.2\n"
    )
    (folder / "outcomes.csv").write_text(outcomes, encoding="utf-8")
    for toml in blocks(ROOT / "docs" / "scenarios.md", "toml")[:1]:
        (folder / "drift.toml").write_text(toml, encoding="utf-8")
    return folder


@pytest.fixture
def here(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the files, as the current folder."""
    folder = tmp_path / "here"
    shutil.copytree(files, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(folder / "minari"))
    return folder


def run(words: list[str], few: bool) -> Any:
    """Run a command, on few sessions if asked: PPO without training it first, a list with dots as far as it goes."""
    words = [word.replace(",...", "").replace(",ppo,", ",ppo@online,") for word in words]
    lifelong = ["--lifetimes", "1", "--lifetime-queries", "60"] if any("@lifelong" in word for word in words) else []
    given = {"--lifetimes-from", "--log"} & set(words)
    less = [*FEW.get(words[0], []), *([] if given else lifelong)] if few else []
    if {"--from", "--from-log"} & set(words):
        less = []
    if "PickLLM-MO-v0" in words:  # has no sessions
        less = ["--training-seeds", "1"]
    with found_in(os.getcwd()):  # as `pickllm` does
        return CliRunner().invoke(app, [*words, *less])


@pytest.mark.parametrize("page", with_commands(), ids=lambda page: page.stem)
def test_the_commands_of_a_page_do_what_they_are_there_for(page: Path, here: Path):
    shown = blocks(page, "")
    for command in commands(page):
        words = shlex.split(command, comments=True)[1:]
        if reason(command):
            parse(words)
            continue
        if "mine.parquet" in words and words[0] == "import":  # another way to the same table
            for path in here.glob("mine*.parquet"):
                path.unlink()
        done = run(words, few=True)
        if isinstance(done.exception, ImportError) and "pip install" in str(done.exception):
            continue  # an extra, which need not be here
        refusal = f"pickllm: {done.exception}\n"
        expected = any(f"{command}\n{refusal}" in block for block in shown)
        assert done.exit_code == 0 or expected, (command, done.output[-600:], done.exception)


def parse(words: list[str]) -> None:
    """Parse a command's options, without running it."""
    group: Any = typer.main.get_command(app)
    with group.make_context("pickllm", list(words), resilient_parsing=True) as context:
        while hasattr(group, "commands"):
            name, group, words = group.resolve_command(context, words)
    group.make_context(name, list(words))


def with_python() -> list[Path]:
    return [page for page in PAGES if blocks(page, "python")]


@pytest.mark.parametrize("page", with_python(), ids=lambda page: page.stem)
def test_the_python_of_a_page_runs_as_it_stands(page: Path, here: Path):
    if page.stem == "production3":
        pytest.importorskip("pareto_bandit")
    rng = np.random.default_rng(0)
    names: dict[str, Any] = {}
    exec("import gymnasium as gym, llm_routing_env", names)
    if page.stem == "off-policy":  # arrays of one's own
        target = np.full((60, 3), 1 / 3)
        names |= {"reward": rng.random(60), "action": rng.integers(0, 3, 60), "propensity": np.full(60, 1 / 3)}
        names |= {"target": target, "query": np.arange(60), "features": rng.random((60, 2)), "n_llms": 3}
    if page.stem == "logs":  # it writes a file of this name, and reads what its first command wrote
        (here / "mine.parquet").unlink()
        run(shlex.split(commands(page)[0])[1:], few=True)
    if page.stem == "scaling":  # a table whose pool was measured under load
        for path in (DATA / "nano").glob("outcomes*.parquet"):
            shutil.copy(path, here / path.name.replace("outcomes", "mine"))
    for code in blocks(page, "python"):
        if not reason(code):
            exec(compile(code, f"{page.name}", "exec"), names)


def test_nothing_is_left_out_that_is_not_there():
    shown = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [part for part in NOT_RUN if part not in shown] == []
