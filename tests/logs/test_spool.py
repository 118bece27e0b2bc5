"""Logs while they are written: torn anywhere, on a disk that is full for a while, by a program that forks or leaves."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tables import random_table

from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.logs import LogSteps, VectorLogSteps, read_log
from llm_routing_env.logs.spool import GrowingLog, unfinished

FACTS = {"llms": ["a", "b"]}


def rows(first: int, n: int) -> dict[str, Any]:
    """Return rows that no other ones look like."""
    nothing, number = np.zeros(n, dtype=np.int64), np.arange(first, first + n)
    texts = {"agent": (nothing, ["me"]), "llm": (nothing, ["a"]), "query_id": (nothing, [f"query {first}"])}
    return {**texts, "session": nothing, "step": number, "action": nothing, "reward": number.astype(float)}


@pytest.fixture
def room(request: pytest.FixtureRequest) -> Any:
    """Return what limits how large files may become; None: without."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(n_bytes: int | None) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft if n_bytes is None else n_bytes, hard))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_stream_that_is_torn_has_all_that_was_whole(tmp_path: Path):
    log, spool = GrowingLog(tmp_path / "log", FACTS, []), unfinished(tmp_path / "log")
    ends = []
    for row in range(3):
        log.append(rows(row, 1))
        ends.append(spool.stat().st_size)
    whole = spool.read_bytes()
    log.close()
    for end in sorted({*range(0, len(whole), 41), *ends, *(end - 1 for end in ends)}):
        spool.write_bytes(whole[:end])
        n_whole = sum(end >= of_row for of_row in ends)
        if n_whole:
            assert read_log(spool).reward.tolist() == list(range(n_whole))
        else:
            with pytest.raises(ValueError, match=r"interrupted before its first row|not the beginning of a log"):
                read_log(spool)
    for tail in (b"\0" * 999, b"\xff" * 999, bytes(range(256)) * 9):
        spool.write_bytes(whole[: ends[1]] + tail)
        assert read_log(spool).reward.tolist() == [0, 1]


@pytest.mark.parametrize("more", [0, 100, 5000, 9000])
def test_a_disk_that_is_full_for_a_while_takes_nothing_of_what_was_whole(tmp_path: Path, room: Any, more: int):
    log, spool = GrowingLog(tmp_path / "log", FACTS, []), unfinished(tmp_path / "log")
    log.append(rows(0, 300))
    room(spool.stat().st_size + more)
    for _ in range(2):
        with pytest.raises(OSError, match="too large"):
            log.append(rows(300, 300))
    assert len(read_log(spool)) == 300
    room(100)
    with pytest.raises(OSError, match="too large"):
        log.close()
    room(None)
    log.append(rows(300, 300))
    log.close()
    assert read_log(tmp_path / "log").reward.tolist() == list(range(600))
    assert os.listdir(tmp_path) == ["log"]


def test_what_a_full_disk_did_not_take_is_kept_until_it_does(
    tmp_path: Path, room: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("llm_routing_env.logs.steps._ROWS", 1)  # as live
    scalar = LogSteps(gym.make("PickLLM-v0", table=random_table(), observation="none"), tmp_path / "scalar")
    vector = VectorLogSteps(PickLLMVectorEnv(300, table=random_table(), observation="none"), tmp_path / "vector")
    for env, actions in ((scalar, 0), (vector, np.zeros(300, dtype=np.int64))):
        env.reset(seed=0)
        env.step(actions)
        room(100)
        for _ in range(2):
            with pytest.raises(OSError, match="too large"):
                env.step(actions)
        room(None)
        env.step(actions)
        env.close()
    assert read_log(tmp_path / "scalar").step.tolist() == [0, 1, 2, 3]
    assert read_log(tmp_path / "vector").step.tolist() == [0, 1, 2, 3] * 300


def test_a_stream_that_lost_rows_is_kept(tmp_path: Path):
    log, spool = GrowingLog(tmp_path / "log", FACTS, []), unfinished(tmp_path / "log")
    log.append(rows(0, 1))
    end = spool.stat().st_size
    log.append(rows(1, 1))
    os.truncate(spool, end)
    with pytest.raises(OSError, match="1 of 2 rows can be read back, and it is kept"):
        log.close()
    assert os.listdir(tmp_path) == [spool.name]


def test_a_program_that_goes_elsewhere_finds_its_log_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    log = GrowingLog("log", FACTS, [])
    log.append(rows(0, 1))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    log.close()
    assert len(read_log(tmp_path / "log")) == 1


FEW = """
import os, sys, gymnasium as gym, llm_routing_env
from llm_routing_env.logs import LogSteps
env = LogSteps(gym.make("PickLLM-v0", observation="none"), "log")
env.reset(seed=0)
for step in range(3):
    env.step(0)
"""


@pytest.mark.parametrize(
    "end", ["", "raise KeyboardInterrupt", "if os.fork() == 0: sys.exit()\nos.wait(); env.step(1)"]
)
def test_few_steps_are_logged_by_a_program_that_never_closes_it(tmp_path: Path, end: str):
    subprocess.run([sys.executable, "-c", FEW + end], cwd=tmp_path, stderr=subprocess.DEVNULL, check=False)
    assert os.listdir(tmp_path) == ["log"]
    assert read_log(tmp_path / "log").action.tolist() == [0, 0, 0] + [1] * ("fork" in end)
