"""The speed benchmarks run, compare like with like, and fill the README's tables; no speed is tested."""

import json
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable

PEERS = ("coba", "mabwiser", "river", "vowpalwabbit")


def result(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}_nano.json").read_text())["result"]


@pytest.mark.pages
@pytest.mark.skipif(sys.platform != "linux", reason="memory.py reads /proc")
def test_the_scripts_run_and_the_readme_shows_what_they_wrote(script, tmp_path, monkeypatch):
    script("throughput").main(sessions=[1, 3], runs=1)
    script("peers").main(pulls=20, runs=1)
    script("startup").main(runs=1)
    script("memory").main(rows=[100], imported_rows=1000, beside="")

    rows = result(tmp_path, "throughput")["rows"]
    assert {(row["sessions"], row["observation"]) for row in rows} == {
        (n, kind) for n in (1, 3) for kind in ("none", "embedding")
    }
    assert [row["what"] for row in rows[:6]] == [
        "bare gather",
        *["environment"] * 3,
        "environment + learning_automaton",
        "environment + epsilon_greedy_q",
    ]
    processes = {row["process"]: row["peak_mb"] for row in result(tmp_path, "memory")["rows"]}
    assert processes["python"] < processes["import gymnasium"] < processes["PickLLM-v0"]
    importing = result(tmp_path, "memory")["importing"]
    assert [(row["file"], row["rows"]) for row in importing] == [(kind, 1000) for kind in ("parquet", "csv", "jsonl")]

    monkeypatch.setattr(script("readme_tables"), "RESULTS", tmp_path)
    shown = script("readme_speed").speed()
    for row in rows:
        assert f"{row['pulls_per_s'] / 1e6:.3g}" in shown or row["what"] == "bare gather"
    for row in result(tmp_path, "peers")["rows"]:
        assert f"{row['pulls_per_s']:,.0f}" in shown


def test_a_row_is_its_best_run_and_everyone_takes_turns(script, monkeypatch):
    timing, order = script("timing"), []
    clock = iter([0.0, 1.0, 5.0, 10.0, 13.0, 14.0, 20.0, 21.0, 23.0, 30.0, 32.0, 40.0])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    field = [timing.Timed({"what": name}, 8, lambda name=name: lambda: order.append(name)) for name in "ab"]
    assert timing.race(field, 2) == [
        {"what": "a", "pulls_per_s": 4.0, "median_pulls_per_s": 8 / 3, "reset_s": 1.0},
        {"what": "b", "pulls_per_s": 8.0, "median_pulls_per_s": 8 / 4.5, "reset_s": 2.0},
    ]
    assert order == ["a", "b", "a", "b"]


def test_libraries_route_the_queries_that_the_environment_asks(script):
    peers = script("peers")
    stream = peers.recorded_stream("nano", 40)
    env = gym.make("PickLLM-v0", context="mixed", max_episode_steps=40)
    env.reset(seed=0)
    actions = np.random.default_rng(5).integers(4, size=40)
    assert [env.step(action)[1] for action in actions] == [row[a] for row, a in zip(stream, actions, strict=True)]


@pytest.mark.parametrize("name", PEERS)
def test_a_library_finds_the_better_arm_with_epsilon_to_spare(script, name):
    pytest.importorskip(name)
    # Rewards 0 and 1, arm 2 of 3 right: exploring with 0.3 it is asked 1 - 0.3 * 2/3 = 80 % of the time, once found.
    mean_reward = script("peer_loops").PEERS[name]([(0.0, 0.0, 1.0)] * 400, 0.3)()
    assert mean_reward == pytest.approx(0.8, abs=0.1)


def test_a_library_that_is_not_installed_is_left_out_and_named(script, tmp_path, monkeypatch, capsys):
    peers = script("peers")
    installed = peers.version
    monkeypatch.setattr(peers, "version", lambda name: installed(name if name != "river" else "no-such-distribution"))
    peers.main(pulls=10, runs=1)
    assert result(tmp_path, "peers")["peers"]["river"] is None
    assert "river" not in {row["learner"] for row in result(tmp_path, "peers")["rows"]}
    assert "river is not installed" in capsys.readouterr().out


def test_a_long_table_is_a_table_with_embeddings(script, tmp_path):
    nano = load_table("nano")
    path = tmp_path / "long.parquet"
    rows = script("memory").write_long_table(nano, nano.n_queries * 12 + 5, path)
    long = OutcomeTable.read(path)
    assert rows == (nano.n_queries + 1) * 12
    assert (long.n_queries, long.n_llms, long.n_repeats) == (nano.n_queries + 1, 4, 3)
    assert len({query.prompt for query in long.queries}) == len({query.prompt for query in nano.queries}) + 1
    env = gym.make("PickLLM-v0", table=str(path))
    assert env.reset(seed=0)[0].shape == (384,)
