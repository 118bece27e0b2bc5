"""The `pickllm` command: what scripts rely on, and what bad input ends in."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

METRICS = {
    "reward",
    "regret",
    "accuracy",
    "session_cost_usd",
    "latency_s",
    "queries_to_commit",
    "committed",
    "correct_commit",
    "within_0.02_of_best",
    "oracle_gap_closed",
}


def pickllm(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llm_routing_env.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


SMALL = ("--sessions", "4", "--length", "20")


def test_compare_prints_the_document_that_scripts_rely_on():
    done = pickllm("compare", *SMALL, "--agents", "random,learning_automaton", "--json", "--seed", "3")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert {"table", "reward", "weights", "seed", "sessions", "references", "agents"} <= document.keys()
    assert (document["seed"], document["sessions"], document["weights"]) == (3, 4, [1.0, 0.5, 0.5])
    assert {row["agent"] for row in document["agents"]} == {"random", "learning_automaton"}
    assert {row["protocol"] for row in document["agents"]} == {"online"}
    contexts = {row["context"] for row in document["agents"]}
    assert "all" in contexts
    assert len(contexts) >= 6
    for row in document["agents"]:
        assert set(row["metrics"]) == METRICS
        assert set(row["metrics"]["reward"]) == {"mean", "low", "high"}
    assert {"best fixed LLM", "per-context best", "per-query oracle"} <= document["references"].keys()


def test_compare_writes_results_and_figures(tmp_path: Path):
    done = pickllm("compare", *SMALL, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "Headroom: best fixed LLM" in done.stdout
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"results.json", "results.csv", "probabilities.png", "regret.png", "cost_accuracy.png"}
    with (tmp_path / "run" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["metric"] for row in rows} == METRICS
    for path in (tmp_path / "run").glob("*.png"):
        assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
        assert path.stat().st_size > 20_000


def test_the_reward_form_and_hyperparameters_are_one_flag_away():
    base = ("compare", *SMALL, "--agents", "learning_automaton", "--json")
    ratio, additive, slow, quantiles = (
        json.loads(pickllm(*base, *extra).stdout)["agents"][0]["metrics"]
        for extra in (
            (),
            ("--reward", "additive"),
            ("--param", "learning_automaton.learning_rate=0.01"),
            ("--param", "learning_automaton.normaliser=quantiles"),
        )
    )
    assert ratio["reward"] != additive["reward"]
    assert ratio["regret"] != slow["regret"]
    assert ratio["regret"] != quantiles["regret"]


def test_the_demo_shows_queries_answers_and_beliefs():
    done = pickllm("demo", "--length", "12", "--context", "math")
    assert done.returncode == 0, done.stderr
    assert "What the agent now believes" in done.stdout
    assert done.stdout.count("reward ") >= 12


def test_agents_are_listed_with_what_they_see():
    document = json.loads(pickllm("agents", "--json").stdout)
    described = {agent["name"]: agent for agent in document["agents"]}
    assert {"learning_automaton", "epsilon_greedy_q", "random", "round_robin", "fixed", "cheapest"} <= described.keys()
    automaton = described["learning_automaton"]
    assert (automaton["protocol"], automaton["feedback"], automaton["observation"]) == ("online", "bandit", "none")
    assert automaton["parameters"]["learning_rate"] == 0.1


@pytest.mark.parametrize("command", ["demo", "compare", "inspect", "agents", "serve", "record", "embed", "import"])
def test_every_command_explains_itself(command: str):
    done = pickllm(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "--agents", "epsilon_greed"), "Did you mean 'epsilon_greedy_q'"),
        (("compare", "--table", "nanoo"), "Did you mean 'nano'"),
        (("compare", "--context", "maths"), "Did you mean 'math'"),
        (("compare", "--split", "tests"), "Did you mean 'test'"),
        (("compare", "--reward", "picklm"), "Did you mean 'pickllm'"),
        (("compare", "--scorer", "final_answr"), "Did you mean 'final_answer'"),
        (("compare", "--weights", "1,0"), "weights must be three"),
        (("compare", "--weights", "1,x,0"), "--weights must be three numbers"),
        (("compare", "--weights", "1,-1,0"), "0 or more"),
        (("compare", "--weights", "0,0,0"), "not all 0"),
        (("compare", "--length", "0"), "session length must be 1 or more"),
        (("compare", "--sessions", "0"), "sessions must be 1 or more"),
        (("compare", "--param", "learning_rate=1"), "agent.name=value"),
        (("compare", "--param", "ucb1.c=1"), "not compared"),
        (("compare", "--param", "learning_automaton.learning_rate=7"), "learning_rate must be between 0 and 1"),
        (("compare", "--param", "learning_automaton.speed=7"), "speed"),
        (("compare", "--backend", "vlm"), "Did you mean 'vllm'"),
        (("demo", "--agent", "nobody.module:Agent"), "nobody"),
        (("demo", "--backend", "vllm"), "pickllm serve nano"),
        (("serve", "nowhere.toml"), "Unknown pool"),
        (("record", "nano", "nowhere.jsonl", "out.parquet"), "nowhere.jsonl"),
        (("embed", "nowhere.parquet"), "Unknown table"),
    ],
)
def test_bad_input_ends_in_one_clear_line_and_code_2(arguments: tuple[str, ...], message: str, tmp_path: Path):
    done = pickllm(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
