"""What a script reads from a command's exit code, and the one line that goes with it."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_server import FaultyServer, faulty_server
from tables import queries, records

from llm_routing_env.cli import compare as compare_command
from llm_routing_env.cli import main
from llm_routing_env.observations.embedding_model import load_encoder
from llm_routing_env.stopping import IncompleteError, Terminated
from llm_routing_env.tables.table import OutcomeTable

LIVE = ("--table", "half.parquet", "--backend", "vllm", "--pool", "pool.toml")
SMALL = ("compare", "--sessions", "2", "--length", "4", "--agents", "random")


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["pickllm", *arguments])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as done:
        main()
    return int(done.value.code or 0)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (IncompleteError("half of it"), 1, "pickllm: half of it"),
        (RuntimeError("nothing"), 2, "pickllm: nothing"),
        (
            KeyboardInterrupt(),
            130,
            "Interrupted. Nothing is kept: with --out DIR it would be, and --resume would go on.",
        ),
        (Terminated(), 143, "Interrupted. Nothing is kept: with --out DIR it would be, and --resume would go on."),
    ],
)
def test_whatever_ends_a_command_early_is_one_line_and_a_code(
    error: BaseException,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def ends(*arguments: Any, **more: Any) -> None:
        raise error

    monkeypatch.setattr(compare_command, "run_comparison", ends)
    assert ended(monkeypatch, *SMALL) == code
    assert capsys.readouterr().err == f"{line}\n"


def test_help_says_what_the_codes_mean(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert ended(monkeypatch, "--help") == 0
    assert "Exit codes: 0 done; 1 done in part" in " ".join(capsys.readouterr().out.split())


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Return a server of two LLMs of which one refuses everything; their pool and table lie in the folder."""
    monkeypatch.chdir(tmp_path)
    llms = ("good", "401")
    with faulty_server() as running:
        price = "input_price_usd_per_mtok = 1\noutput_price_usd_per_mtok = 2\n"
        tables = (f'[[llm]]\nname = "{name}"\nbase_url = "{running.base_url}"\n{price}' for name in llms)
        Path("pool.toml").write_text('name = "half"\nmax_retries = 0\n' + "".join(tables))
        rows = records(asked := queries(12), llms, np.ones((36, 2, 1)), 1e-5, 0.1)
        OutcomeTable.from_records(asked, llms, rows, {}).write("half.parquet")
        yield running


@pytest.mark.parametrize(
    ("package", "options", "line"),
    [
        ("tensorboardX", ("--out", "run", "--tensorboard"), 'pip install "llm-routing-env[tensorboard]"'),
        ("stable_baselines3", ("--agents", "ppo"), 'pip install "llm-routing-env[sb3]"'),
        ("ray", ("--engine", "ray", "--yes"), 'pip install "llm-routing-env[ray]"'),
        ("sentence_transformers", ("--scorer", "cosine"), 'pip install "llm-routing-env[embeddings]"'),
    ],
)
def test_what_is_not_installed_is_said_before_anything_is_sent(
    server: FaultyServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
    options: tuple[str, ...],
    line: str,
):
    load_encoder.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    bound = () if "--yes" in options else ("--max-usd", "1")
    assert ended(monkeypatch, *SMALL, *LIVE, *bound, *options) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    assert not server.asked


DEMO = ("demo", "--length", "5", *LIVE)


def test_a_live_demo_says_what_it_will_cost_and_asks_for_a_bound(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert ended(monkeypatch, *DEMO) == 2
    estimate, line = capsys.readouterr().err.splitlines()
    # The table's calls read 10 tokens and wrote 5.
    assert estimate.startswith("Live LLMs get 5 requests, about $0.0001 (")
    assert "give --max-usd, or --yes" in line
    assert not server.asked


def test_a_live_demo_ends_with_its_budget(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert ended(monkeypatch, *DEMO, "--max-requests", "3") == 1
    assert len(server.asked) == 3
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == (
        "pickllm: The session was stopped: the budget of 3 requests is used up. A larger budget lets it go on to its "
        "end."
    )
    assert said.out.count("reward") == 3 + 1  # of each call, and in all
    assert ended(monkeypatch, *DEMO, "--yes") == 0
    assert len(server.asked) == 3 + 5


def test_a_live_demo_in_which_nothing_is_answered_is_not_done(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    demo = [*DEMO, "--agent", "round_robin", "--yes"]
    assert ended(monkeypatch, *demo, "--max-requests", "0") == 2
    assert "the budget of 0 requests is used up" in capsys.readouterr().err
    pool = Path("pool.toml").read_text()
    Path("pool.toml").write_text(pool.replace('"good"', '"good"\nserved_name = "401"'))
    assert ended(monkeypatch, *demo) == 1
    assert "pickllm: Every call failed, the first with: HTTP 401: " in capsys.readouterr().err
    Path("pool.toml").write_text(pool.replace(server.base_url, "http://127.0.0.1:1/v1"))
    for command in (demo, [*SMALL, *LIVE, "--yes"]):
        assert ended(monkeypatch, *command) == 2
        assert "Connect" in capsys.readouterr().err.splitlines()[-1]


def test_a_live_llm_that_is_down_is_named_and_the_code_is_1(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert ended(monkeypatch, *SMALL, *LIVE, "--max-usd", "1", "--out", "run") == 1
    said = capsys.readouterr()
    assert said.err.splitlines()[-1] == (
        "pickllm: Calls of 401 failed nearly always, see above: what the others answered is kept in run, and the same "
        "command with --resume asks only for the rest."
    )
    assert "Failed calls: '401' " in said.out
    assert Path("run/report.html").exists()
    assert not Path("run/blocks").exists()
    n_good = server.asked.count("good")
    assert ended(monkeypatch, *SMALL, *LIVE, "--max-usd", "1", "--out", "run", "--resume") == 1
    assert server.asked.count("good") == n_good  # nobody is paid twice
