"""Commands on a table whose texts, and an agent whose errors, try to steer the terminal or to be markup."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import Done
from commands import pickllm as run
from tables import records

from llm_routing_env import cli
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

EVIL = "\x1b[31m\x1b]0;title\x07[bold red] :fire:"
SPELLED = r"\x1b[31m\x1b]0;title"
LLMS = ("[bold red]small", "[/]large")  # names have no control characters: tables that have them are refused
AGENT = f"""
import numpy as np
from llm_routing_env.agents.random import Random

class Raises(Random):
    def select_action(self, observation, action_mask=None):
        raise RuntimeError({EVIL!r})
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a table whose every text is hostile."""
    contexts = ("[bold red]art", "[/red]math")
    asked = QuerySet(
        Query(f"{context} {number}{EVIL}", context, ("train", "test")[number % 2], EVIL, (EVIL,))
        for context in contexts
        for number in range(8)
    )
    right = np.arange(len(asked))[:, None, None] % 2 == np.arange(2)[None, :, None]
    rows = records(asked, LLMS, right, [[[1e-5], [1e-4]]], 0.1)
    for row in rows:
        row["response"], row["error"] = (EVIL, None) if row["accuracy_exact_match"] else ("", EVIL)
    path = tmp_path_factory.mktemp("hostile") / "table.parquet"
    OutcomeTable.from_records(asked, LLMS, rows, {"notes": ["[bold red]a note"]}).write(path)
    (path.parent / "mine.py").write_text(AGENT)
    return path


def pickllm(table: Path, *arguments: str) -> Done:
    """Run a command; nothing that it prints steers a terminal."""
    done = run(*arguments, "--table", table, cwd=table.parent)
    assert (done.stdout + done.stderr).replace("\n", "").isprintable(), done.stdout + done.stderr
    return done


def test_the_demo_shows_texts_and_names_as_they_are(table: Path):
    agent = ("--agent", "explore_then_commit", "--param", "explore_then_commit.pulls_per_arm=1")
    done = pickllm(table, "demo", "--length", "8", "--split", "all", *agent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(SPELLED) == 2 * 8  # a query, and an answer or an error
    assert done.stdout.count("[bold red] :fire:") == 2 * 8
    for name in (*LLMS, "committed to [", "context: ["):
        assert name in done.stdout


def test_an_inspection_shows_names_as_they_are(table: Path):
    done = run("inspect", table, "--out", "figures", cwd=table.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace("\n", "").isprintable()
    for name in (*LLMS, "[bold red]art", "[/red]math", "[bold red]a note"):
        assert name in done.stdout


def test_a_verification_shows_names_as_they_are(table: Path, tmp_path: Path):
    rows = pq.read_table(table)
    halves = pa.array([0.5] * len(rows))
    column = rows.column_names.index("accuracy_exact_match")
    pq.write_table(rows.set_column(column, "accuracy_exact_match", halves), tmp_path / "t.parquet")
    done = run("verify", "t.parquet", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.replace("\n", "").isprintable()
    for name in (f"query '[bold red]art 0{SPELLED}", *LLMS, "[bold red]a note"):
        assert name in done.stdout


def test_a_comparison_shows_errors_of_an_agent_as_they_are(table: Path):
    pytest.importorskip("tensorboardX")
    options = ("--sessions", "2", "--length", "4", "--out", "compared", "--tensorboard")
    done = pickllm(table, "compare", "--agents", "random,mine:Raises", *options)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith(f"pickllm: mine:Raises failed: RuntimeError: {SPELLED}")
    assert f"mine:Raises failed: RuntimeError: {SPELLED}" in done.stdout
    (warning,) = [line for line in done.stdout.splitlines() if line.startswith("Failed calls: ")]
    assert "'[bold red]small'" in warning
    assert f"(first: {SPELLED}" in warning
    page = (table.parent / "compared" / "report.html").read_text()
    assert page.replace("\n", "").isprintable()
    assert SPELLED in page
    alone = pickllm(table, "compare", "--agents", "mine:Raises", *options[:4])
    assert alone.returncode == 2
    assert alone.stderr.startswith("pickllm: mine:Raises: RuntimeError: " + SPELLED)
    assert alone.stderr.count("\n") == 1


def test_an_error_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def fails(**options: object) -> None:
        raise ValueError(EVIL)

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(SystemExit):
        cli.main()
    assert capsys.readouterr().err == f"pickllm: {SPELLED}[bold red] :fire:\n"
