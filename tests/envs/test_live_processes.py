"""Live environments in several processes: no hang, no leak, and one budget and one journal for each of them."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from counting_server import CountingServer, counting_server
from gymnasium.vector import AsyncVectorEnv
from tables import random_table, write_random_table

import llm_routing_env  # noqa: F401  registers the environments
from llm_routing_env.envs import PickLLMEnv
from llm_routing_env.pools.pool import LLMSpec, Pool


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


@pytest.fixture
def arguments(server: CountingServer, tmp_path: Path) -> dict[str, Any]:
    """Return plain arguments of a live environment, as other processes take them."""
    llm = f'base_url = "{server.base_url}"\ninput_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n'
    llms = "".join(f'[[llm]]\nname = "llm-{number}"\n{llm}' for number in range(4))
    (tmp_path / "pool.toml").write_text(f'name = "p"\n{llms}')
    table = str(write_random_table(tmp_path))
    return {"table": table, "pool": str(tmp_path / "pool.toml"), "observation": "none", "context": "art"}


def n_kept(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("SELECT count(*) FROM outcomes").fetchone()[0])


def make(arguments: dict[str, Any]) -> gym.Env[Any, Any]:
    return gym.make("PickLLMLive-v0", **arguments)


def test_gymnasium_s_processes_have_a_budget_and_a_journal_each(server, arguments, tmp_path: Path):
    arguments |= {"journal": str(tmp_path / "run-{pid}.sqlite"), "max_requests": 3}
    envs = AsyncVectorEnv([lambda: make(arguments)] * 3, context="spawn")
    envs.reset(seed=0)
    ended = [envs.step(np.array([0, 1, 2]))[2].tolist() for _ in range(4)]
    envs.close()
    assert ended == [[False] * 3] * 3 + [[True] * 3]
    assert len(server.answers) == 3 * 3
    journals = list(tmp_path.glob("run-*.sqlite"))
    assert sorted(n_kept(path) for path in journals) == [0, 3, 3, 3]  # Gymnasium makes one in the parent, to look at


def test_two_environments_of_one_process_cannot_have_one_journal(server, arguments, tmp_path: Path):
    arguments |= {"journal": str(tmp_path / "run.sqlite")}
    with pytest.raises(ValueError, match=r"run.sqlite: this or another process is recording into this journal|exists"):
        gym.make_vec("PickLLMLive-v0", num_envs=2, vectorization_mode="sync", **arguments)
    assert not server.answers


def test_stable_baselines_processes(server, arguments):
    vec_env = pytest.importorskip("stable_baselines3.common.vec_env")
    envs = vec_env.SubprocVecEnv([lambda: make(arguments)] * 2, start_method="spawn")
    envs.reset()
    for _ in range(3):
        envs.step(np.array([0, 1]))
    envs.close()
    assert len(server.answers) == 6


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("given", [{"journal": "run.sqlite"}, {"max_requests": 9}, {}])
def test_a_child_that_is_forked_after_use_has_neither_and_says_so(server, tmp_path: Path, given: dict[str, Any]):
    given = {name: tmp_path / value if name == "journal" else value for name, value in given.items()}
    before, table = set(threading.enumerate()), random_table()
    llms = tuple(LLMSpec(name, 1.0, 2.0, base_url=server.base_url) for name in table.llm_names)
    env = PickLLMEnv(table, backend="vllm", pool=Pool("p", llms), observation="none", context="art", **given)
    env.reset(seed=0)
    env.step(0)
    child = os.fork()
    if child == 0:
        try:
            env.step(1)
        except RuntimeError as error:
            os._exit(7 if "process" in str(error) else 8)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (7 if given else 0)
    assert env.step(2)[4]["error"] == ""  # the parent goes on
    env.close()
    assert not [
        thread for thread in threading.enumerate() if thread.name.startswith("pickllm-") and thread not in before
    ]
