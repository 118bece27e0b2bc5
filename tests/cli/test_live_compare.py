"""Comparisons of LLMs that cost money: within a budget, journalled, and resumed without asking anything twice."""

import io
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked_command
import journal_files
import pytest
from counting_server import CountingServer, counting_server
from processes import default_signals, wait_until
from tables import write_random_table

from llm_routing_env.cli import main
from llm_routing_env.evaluation.block_store import journals_of
from llm_routing_env.evaluation.comparison import run_comparison
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.live_access import live_access
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.evaluation.tuning import tune

N_SESSIONS, LENGTH, N_CONTEXTS, IN_FLIGHT = 2, 10, 3, 2
PER_STEP = N_SESSIONS * N_CONTEXTS  # requests
PER_AGENT = PER_STEP * LENGTH
AGENTS = ("round_robin", "epsilon_greedy_q", "random")
COST_USD = 14e-6  # of an answer


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingServer]:
    """Return a server that answers each query the same way every time; its pool and table lie in the folder."""
    monkeypatch.chdir(tmp_path)
    with counting_server() as running:
        running.reply = lambda number, llm, prompt: f"answer {zlib.crc32(f'{llm} {prompt}'.encode()) % 30}"
        llm = f'base_url = "{running.base_url}"\nmax_tokens = 5\n'
        llm += "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n"
        tables = "".join(f'[[llm]]\nname = "llm-{number}"\n{llm}' for number in range(4))
        Path("pool.toml").write_text(f'name = "counted"\n{tables}')
        write_random_table(tmp_path)
        yield running


def arguments(*options: str) -> list[str]:
    """Return those of a comparison whose reward has no latency, so that it is the same in every run."""
    counts = ("--sessions", str(N_SESSIONS), "--length", str(LENGTH), "--max-in-flight", str(IN_FLIGHT))
    live = ("--table", "random.parquet", "--backend", "vllm", "--pool", "pool.toml")
    reward = ("--reward", "additive", "--weights", "1,0.5,0")
    return ["compare", "--agents", ",".join(AGENTS), *counts, *live, *reward, "--yes", *options]


def setting_of(max_usd: float | None = None, max_requests: int | None = None) -> Setting:
    """Return what these arguments stand for."""
    problem = {"table": "random.parquet", "context": None, "split": "test", "reward": "additive", "scorer": None}
    live = live_access(
        *("vllm", "pool.toml", "local"), max_usd=max_usd, max_requests=max_requests, max_in_flight=IN_FLIGHT
    )
    return Setting(problem | {"weights": (1.0, 0.5, 0.0)}, LENGTH, live=live)


def resume(folder: Path, *, agents: tuple[str, ...] = AGENTS, **bounds: Any) -> Comparison:
    """Run a comparison, or go on with it, without what is written about it."""
    setting = setting_of(**bounds)
    setting.live.charge_journals(journals_of(folder / "blocks"), setting.table)
    return run_comparison(contestants(agents, {}), setting, N_SESSIONS, blocks_folder=folder / "blocks")


def found(result: Comparison) -> dict[str, Any]:
    """Return everything that a run found but how long it took and what it spent."""
    document = result.document()
    for row in document["agents"]:
        for name in ("latency_s", "latency_p50_s", "latency_p95_s"):
            del row["metrics"][name]
    return {key: document[key] for key in ("references", "agents", "verdicts")}


def n_kept(folder: Path) -> int:
    """Return the number of outcomes in the journals, read without the code under test."""
    return sum(len(journal_files.rows(path)) for path in folder.glob("journals/*.sqlite"))


def test_a_killed_comparison_asks_for_nothing_twice_and_ends_as_if_it_had_not_been_killed(
    server: CountingServer, tmp_path: Path
):
    whole = resume(tmp_path / "whole")
    n_total = len(AGENTS) * PER_AGENT
    assert len(server.answers) == n_total
    assert whole.document()["budget"] == {
        "max_usd": None,
        "max_requests": None,
        "spent_usd": pytest.approx(n_total * COST_USD),
        "n_requests": n_total,
    }
    for part in (0.4, 1.3, 2.6):
        process = forked_command.start(arguments("--out", "run", "--resume"), tmp_path, tmp_path / "printed")
        assert wait_until(lambda part=part: len(server.answers) - n_total > part * PER_AGENT, 120)
        process.kill()
        process.join()
        server.settle()
    n_lost = len(server.answers) - n_total - n_kept(tmp_path / "run")
    assert 0 <= n_lost <= 3 * PER_STEP
    again = resume(tmp_path / "run")
    assert len(server.answers) - n_total == n_total + n_lost
    assert found(again) == found(whole)
    assert again.budget is not None
    assert again.budget.n_requests >= n_total + n_lost
    assert again.budget.spent_usd > (n_total + n_lost - 1e-6) * COST_USD


def test_a_budget_that_runs_out_keeps_what_is_finished_and_a_larger_one_goes_on(server: CountingServer, tmp_path: Path):
    bound = PER_AGENT + 7
    refusal = f"the budget of {bound} requests is used up"
    for _ in range(2):  # the second time, everything comes from the blocks and the journals
        stopped = resume(tmp_path, max_requests=bound)
        assert len(server.answers) == bound
        assert stopped.agents == ["round_robin"]
        assert stopped.failures == dict.fromkeys(AGENTS[1:], refusal)
        assert stopped.budget is not None
        assert stopped.budget.n_requests == bound
    finished = resume(tmp_path)
    assert len(server.answers) == len(AGENTS) * PER_AGENT
    assert finished.agents == list(AGENTS)
    assert found(finished) == found(resume(tmp_path / "whole"))


def test_a_journal_of_llms_that_answer_otherwise_is_refused_before_anything_is_asked(
    server: CountingServer, tmp_path: Path
):
    resume(tmp_path, max_requests=5)
    Path("pool.toml").write_text(Path("pool.toml").read_text().replace("max_tokens = 5", "max_tokens = 6"))
    with pytest.raises(ValueError, match="has outcomes of 'llm-0' with max_tokens 5, now it is 6, which answers"):
        resume(tmp_path)
    assert len(server.answers) == 5


def test_another_deadline_and_other_retries_go_on(server: CountingServer, tmp_path: Path):
    resume(tmp_path, max_requests=5)
    pool = Path("pool.toml").read_text()
    Path("pool.toml").write_text(f"deadline_s = 7.5\nmax_retries = 9\n{pool}")
    resume(tmp_path)
    assert len(server.answers) == len(AGENTS) * PER_AGENT


def test_tuning_is_paid_from_the_same_budget_and_resumed_too(server: CountingServer, tmp_path: Path):
    n_asked = []
    for max_requests in (80, 80, None):
        setting = setting_of(max_requests=max_requests)
        setting.live.charge_journals(tmp_path / "journals", setting.table)
        tuned = tune({"ucb1": {"c": [0.1, 2]}}, setting, 2, blocks_folder=tmp_path / "blocks")
        n_asked.append(len(server.answers))
    # Two candidates, one session of each context, the 10 queries that a context has in the train split.
    assert n_asked == [2 * N_CONTEXTS * 10] * 3
    assert None not in tuned["ucb1"].rewards


def test_stable_baselines3_routes_within_the_budget_too(server: CountingServer, tmp_path: Path):
    pytest.importorskip("stable_baselines3")
    agents = ("round_robin", "a2c@online")
    bound = PER_AGENT + 25
    stopped = resume(tmp_path, agents=agents, max_requests=bound)
    assert stopped.failures == {"a2c (online)": f"the budget of {bound} requests is used up"}
    assert len(server.answers) == bound
    assert not resume(tmp_path, agents=agents).failures
    assert len(server.answers) == 2 * PER_AGENT


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_keeps_finished_blocks_and_the_outcomes_of_the_one_under_way(
    server: CountingServer, tmp_path: Path, number: signal.Signals, code: int
):
    reply = server.reply

    def hold_the_second_block(number: int, llm: str, prompt: str) -> str:
        if number == 1.5 * PER_AGENT:
            server.may_answer.clear()
        return reply(number, llm, prompt)

    server.reply = hold_the_second_block
    command = [sys.executable, "-m", "llm_routing_env.cli", *arguments("--out", "run")]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default_signals
    )
    assert wait_until(lambda: not server.may_answer.is_set(), 120)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=120)
    server.may_answer.set()
    assert wait_until(lambda: not server.in_flight)
    assert process.returncode == code
    assert said.splitlines()[-1] == (
        "Interrupted. 1 finished blocks, and the outcomes of the others so far, are kept: "
        "the same command with --resume goes on."
    )
    n_lost = len(server.answers) - n_kept(tmp_path / "run")
    assert 0 <= n_lost <= PER_STEP
    resume(tmp_path / "run")
    assert len(server.answers) == len(AGENTS) * PER_AGENT + n_lost


def test_the_command_says_what_was_spent_and_what_was_refused(server: CountingServer, tmp_path: Path):
    command = [sys.executable, "-m", "llm_routing_env.cli"]
    bounds = ("--out", "run", "--max-requests", str(PER_AGENT + 7))
    done = subprocess.run([*command, *arguments(*bounds)], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr == (
        # 10 tokens read and 5 written a call, by the table; a token a byte at most.
        "Live LLMs get 180 requests, about $0.0036 ($0.05 if every answer is as long as it may be; requests that are "
        "sent again come on top).\n"
        f"pickllm: Not finished: epsilon_greedy_q, random; the budget of {PER_AGENT + 7} requests is used up. "
        "What was answered is kept in run: the same command with --resume and a larger budget goes on.\n"
    )
    assert f"epsilon_greedy_q failed: the budget of {PER_AGENT + 7} requests is used up" in done.stdout
    assert f"Spent ${(PER_AGENT + 7) * COST_USD:.4f} on {PER_AGENT + 7} requests." in done.stdout
    document = json.loads((tmp_path / "run" / "results.json").read_text())
    assert document["budget"]["n_requests"] == document["budget"]["max_requests"] == PER_AGENT + 7
    assert n_kept(tmp_path / "run") == PER_AGENT + 7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--table", "nano", "--max-usd", "1"), "max_usd=1.0 needs a live backend"),
        (("--max-requests", "1"), "max_requests=1 needs a live backend"),
        (("--max-in-flight", "1"), "max_in_flight=1 needs a live backend"),
        (("--backend", "vllm", "--max-usd", "-1"), "max_usd must be 0 or more, got -1.0"),
        (("--backend", "vllm", "--max-in-flight", "0"), "max_in_flight must be 1 or more, got 0"),
        (("--backend", "vllm", "--engine", "ray", "--max-usd", "1"), "max_usd=1.0 holds within one process"),
    ],
)
def test_bounds_that_nothing_could_hold_are_one_line(
    options: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert message in refused(("compare", "--sessions", "4", *options), monkeypatch, capsys)


def test_a_budget_for_nothing_and_a_folder_in_the_way_are_one_line(
    server: CountingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    poor = refused(arguments("--max-usd", "0.000001"), monkeypatch, capsys)
    assert "random: the budget of $1e-06 is used up: $0 are spent" in poor
    (tmp_path / "run" / "journals").mkdir(parents=True)
    in_the_way = refused(arguments("--out", "run"), monkeypatch, capsys)
    assert "holds an interrupted comparison: go on with --resume" in in_the_way
    assert not server.answers


def test_money_without_a_bound_needs_a_yes(
    server: CountingServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    unbounded = [option for option in arguments() if option != "--yes"]
    assert "give --max-usd, or --yes" in refused(unbounded, monkeypatch, capsys)
    assert not server.answers


def refused(command: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command in this process; return the one line that it ends in."""
    monkeypatch.setattr(sys, "argv", ["pickllm", *command])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    *said, line = capsys.readouterr().err.strip().splitlines()
    assert all(estimate.startswith("Live LLMs get ") for estimate in said)
    return line
