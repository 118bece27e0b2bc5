"""Environments whose every step is logged: scalar, vector and live, to their end or interrupted."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from counting_server import CountingServer, counting_server
from tables import random_table, sparse_table

from llm_routing_env.envs import DelayedFeedback, PickLLMEnv, PickLLMLiveVectorEnv
from llm_routing_env.logs import Log, LogSteps, VectorLogSteps, read_log
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.cells import Cells

TABLE, SPARSE = random_table(), sparse_table()
SCENARIO = [
    {"event": "outage", "llm": "llm-1", "step": 2, "hidden": True, "until": 5},
    {"event": "outage", "llm": "llm-2", "step": 5, "until": 7},
]
PLAIN = {"table": TABLE, "observation": "none"}
LENGTH, MODES = 9, ("SAME_STEP", "NEXT_STEP", "DISABLED")


def made(table: Any = TABLE, **options: Any) -> gym.Env[Any, Any]:
    return gym.make(
        "PickLLM-v0", max_episode_steps=LENGTH, table=table, scenario=SCENARIO, observation="context", **options
    )


def run_scalar(env: Any, n_sessions: int) -> tuple[list[list[int]], list[float]]:
    """Return the actions, by session, and all rewards of sessions with the seeds 0, 1, ..."""
    rng, actions, rewards = np.random.default_rng(7), [], []
    for seed in range(n_sessions):
        env.reset(seed=seed)
        actions.append([])
        for _ in range(LENGTH):
            allowed = np.flatnonzero(env.get_wrapper_attr("action_masks")())
            actions[-1].append(int(rng.choice(allowed)))
            env.log_propensity(1 / len(allowed))
            rewards.append(env.step(actions[-1][-1])[1])
    env.close()
    return actions, rewards


def columns(log: Log) -> dict[str, Any]:
    names = (
        "session",
        "step",
        "action",
        "propensity",
        "reward",
        "accuracy",
        "cost_usd",
        "latency_s",
        "failed",
        "phase",
    )
    found = {name: getattr(log, name) for name in (*names, "prompt_tokens", "completion_tokens", "mask")}
    asked = {"query": np.array(log.query_ids)[log.query], "context": np.array(log.contexts)[log.context]}
    return found | asked | dict(log.terms)


@pytest.mark.parametrize("table", [TABLE, SPARSE], ids=["whole", "sparse"])
def test_a_log_holds_what_the_table_and_the_scenario_say(tmp_path: Path, table: Any):
    env = LogSteps(made(table), tmp_path / "log.parquet", agent="uniform")
    problem = env.get_wrapper_attr("problem")
    actions, rewards = run_scalar(env, 3)
    log = read_log(tmp_path / "log.parquet")
    log.require_propensities()
    assert (log.agents, log.session.tolist()) == (("uniform",), np.repeat(np.arange(3), LENGTH).tolist())
    assert log.action.tolist() == [action for of_session in actions for action in of_session]
    assert log.reward.tolist() == rewards
    assert log.phase.tolist() == [0, 0, 1, 1, 1, 2, 2, 0, 0] * 3  # all is as before
    is_down = (log.action == 1) & (log.phase == 1)
    assert log.failed.tolist() == is_down.tolist()
    queries = log.require_table(table)
    assert log.mask is not None
    expected = table.present[queries].copy()
    expected[log.phase == 2, 2] = False
    assert (log.mask == expected).all()
    scores = table.accuracies["exact_match"][queries, log.action]
    assert all(row in scores[place] for place, row in enumerate(log.accuracy) if not is_down[place])
    np.testing.assert_allclose(problem.reward.combine(log.terms)[~is_down], log.reward[~is_down])
    facts = {"env": "PickLLM-v0", "backend": "table", "scenario": SCENARIO, "split": "test", "pool": None}
    assert facts.items() <= log.metadata.items()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("info", ["numbers", "full"])
def test_a_vector_logs_what_scalar_environments_do(tmp_path: Path, mode: str, info: str):
    scalar = LogSteps(made(info=info), tmp_path / "scalar.parquet")
    actions, _ = run_scalar(scalar, 3)
    env: Any = gym.make_vec(
        "PickLLM-v0",
        3,
        max_episode_steps=LENGTH,
        table=TABLE,
        scenario=SCENARIO,
        autoreset_mode=mode,
        info=info,
        observation="context",
    )
    env = VectorLogSteps(env, tmp_path / "vector.parquet")
    env.reset(seed=0)
    for step in range(LENGTH):
        env.log_propensity(1 / env.unwrapped.action_masks().sum(axis=1))
        env.step(np.array([of_session[step] for of_session in actions]))
    n_more = 0 if mode == "DISABLED" else 2
    for _ in range(n_more):
        env.step(np.array([0, 0, 3]))
    env.close()
    log = read_log(tmp_path / "vector.parquet")
    assert len(log) == 3 * (LENGTH + n_more - (mode == "NEXT_STEP"))
    first, same = columns(log.rows(log.session < 3)), columns(read_log(tmp_path / "scalar.parquet"))
    for name, values in same.items():
        np.testing.assert_array_equal(first[name], values, name)
    assert np.isnan(log.propensity[log.session >= 3]).all()  # nobody told


def test_sessions_of_a_vector_that_are_reset_alone(tmp_path: Path):
    env: Any = gym.make_vec("PickLLM-v0", 2, table=TABLE, autoreset_mode="DISABLED", observation="none")
    env = VectorLogSteps(env, tmp_path / "log.parquet")
    env.reset(seed=0)
    env.step(np.array([0, 1]))
    env.reset(options={"reset_mask": np.array([False, True])})
    env.step(np.array([2, 3]))
    env.close()
    log = read_log(tmp_path / "log.parquet")
    assert (log.session.tolist(), log.step.tolist()) == ([0, 0, 1, 2], [0, 1, 0, 0])
    assert log.action.tolist() == [0, 2, 1, 3]


def test_a_reward_is_logged_as_it_was_told(tmp_path: Path):
    for name, wrap in {
        "outside": lambda env, path: LogSteps(DelayedFeedback(env, 1), path),
        "inside": lambda env, path: DelayedFeedback(LogSteps(env, path), 1),
    }.items():
        env = wrap(made(), tmp_path / name)
        env.reset(seed=0)
        env.step(0)
        env.close()
        assert np.isnan(read_log(tmp_path / name).reward[0]) == (name == "outside")


def faster(cells: Cells) -> list[tuple[int, Cells]]:
    return [(0, cells), (2, replace(cells, latency_s=cells.latency_s / 2))]


def test_a_log_keeps_what_its_scenario_was(tmp_path: Path):
    events = [{"event": "price", "llm": "llm-1", "factor": 0.5, "step": 3}]
    file = tmp_path / "cut.toml"
    file.write_text('[[events]]\nevent = "price"\nllm = "llm-1"\nfactor = 0.5\nstep = 3\n')
    for name, (given, kept) in {"a": (str(file), events), "b": (faster, f"{__name__}:faster")}.items():
        env = LogSteps(gym.make("PickLLM-v0", table=TABLE, scenario=given, observation="none"), tmp_path / name)
        file.unlink(missing_ok=True)
        env.reset(seed=0)
        env.step(0)
        env.close()
        assert read_log(tmp_path / name).metadata["scenario"] == kept


def test_single_precision_rounds_no_probability_to_above_1(tmp_path: Path):
    env = LogSteps(made(), tmp_path / "log.parquet")
    env.reset(seed=0)
    env.log_propensity(float(np.float32(1) + np.finfo(np.float32).eps))
    env.step(0)
    env.close()
    assert read_log(tmp_path / "log.parquet").propensity.tolist() == [1.0]


def test_what_cannot_be_logged(tmp_path: Path):
    with pytest.raises(ValueError, match="make the environment with info='numbers' or 'full'"):
        LogSteps(made(info="none"), tmp_path / "log.parquet")
    with pytest.raises(ValueError, match="logs the environments of this package, got CartPoleEnv"):
        LogSteps(gym.make("CartPole-v1"), tmp_path / "log.parquet")
    env = LogSteps(made(), tmp_path / "log.parquet")
    for wrong in (0.0, 1.01, np.nan, -0.5):
        with pytest.raises(ValueError, match="a propensity must be above 0 and at most 1"):
            env.log_propensity(wrong)
    with pytest.raises(FileExistsError, match="holds a log that was interrupted"):
        LogSteps(made(), tmp_path / "log.parquet")
    with pytest.raises(RuntimeError, match=r"call reset\(\) first"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action must be 0 to 3"):
        env.step(4)
    env.close()
    assert not list(tmp_path.iterdir())  # nothing was routed
    (tmp_path / "log.parquet").write_text("mine")
    with pytest.raises(FileExistsError, match="never written over"):
        LogSteps(made(), tmp_path / "log.parquet")


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


def pool_of(server: CountingServer) -> Pool:
    return Pool("counted", tuple(LLMSpec(n, 1.0, 2.0, base_url=server.base_url, max_tokens=5) for n in TABLE.llm_names))


def test_live_steps_are_logged_until_the_budget_refuses_one(tmp_path: Path, server: CountingServer):
    server.status = lambda number, llm, prompt: 400 if number == 1 else 200
    options: dict[str, Any] = {"backend": "vllm", "pool": pool_of(server), "observation": "none", "max_requests": 3}
    env = LogSteps(
        PickLLMEnv(TABLE, scenario=[{"event": "new_llm", "llm": "llm-3", "step": 2}], **options), tmp_path / "l"
    )
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action 3 is masked: llm-3 cannot be asked this query"):
        env.step(3)
    told = [env.step(llm) for llm in (0, 1, 3)]
    assert len(read_log(tmp_path / "l")) == 3  # each is kept before the next is asked
    told.append(env.step(2))
    env.close()
    assert [terminated for _, _, terminated, _, _ in told] == [False, False, False, True]
    log = read_log(tmp_path / "l")
    assert (log.action.tolist(), log.failed.tolist()) == ([0, 1, 3], [False, True, False])
    assert log.reward.tolist() == [reward for _, reward, *_ in told[:3]]
    assert log.prompt_tokens.tolist() == [10, 0, 10]
    assert log.mask is not None
    assert log.mask[:, 3].tolist() == [False, False, True]
    assert {"backend": "live", "pool": "counted"}.items() <= log.metadata.items()


@pytest.mark.parametrize("mode", MODES)
def test_a_live_vector_is_logged_in_every_mode_of_autoreset(tmp_path: Path, server: CountingServer, mode: str):
    env: Any = PickLLMLiveVectorEnv(2, 3, mode, TABLE, pool=pool_of(server), observation="none", max_requests=9)
    env = VectorLogSteps(env, tmp_path / "log.parquet", agent="fixed")
    env.reset(seed=0)
    expected = []
    for step in range({"DISABLED": 3, "SAME_STEP": 5, "NEXT_STEP": 6}[mode]):
        _, rewards, terminated, _, _ = env.step(np.array([0, 1]))
        if mode != "NEXT_STEP" or step != 3:
            expected += rewards[~terminated].tolist()
    env.close()
    log = read_log(tmp_path / "log.parquet")
    assert len(log) == len(expected) == (6 if mode == "DISABLED" else 9)
    assert sorted(log.reward.tolist()) == sorted(expected)
    assert (log.prompt_tokens == 10).all()
    assert not log.failed.any()


INTERRUPTED = """
import sys, gymnasium as gym, llm_routing_env
from llm_routing_env.logs import LogSteps
env = LogSteps(gym.make("PickLLM-v0", max_episode_steps=200), "log.parquet")
for session in range(8):
    env.reset(seed=session)
    for step in range(200):
        env.step(0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_what_was_flushed_outlives_the_process(tmp_path: Path, end: signal.Signals):
    process = subprocess.Popen(
        [sys.executable, "-c", f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler){INTERRUPTED}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(end)
    process.communicate()
    is_complete = end == signal.SIGINT
    assert os.listdir(tmp_path) == ["log.parquet" if is_complete else "log.parquet.unfinished"]
    log = read_log(tmp_path / "log.parquet")
    assert len(log) == (1600 if is_complete else 1024)
    if not is_complete:
        spool = tmp_path / "log.parquet.unfinished"
        assert len(read_log(spool)) == 1024
        spool.write_bytes(spool.read_bytes()[:-1000])  # killed while it wrote
        with pytest.raises(ValueError, match="interrupted before its first row"):
            read_log(spool)


def test_a_reward_that_comes_late_is_none_that_the_agent_was_told(tmp_path):
    env = LogSteps(DelayedFeedback(PickLLMEnv(table=TABLE, observation="none"), 2), tmp_path / "late.parquet")
    env.reset(seed=0)
    for _ in range(3):
        env.step(1)
    env.close()
    log = read_log(tmp_path / "late.parquet")
    assert np.isnan(log.reward).tolist() == [True] * 3
    assert np.isfinite(log.accuracy).all()


def test_an_environment_of_several_rewards_is_refused_weighed_or_not(tmp_path):
    env = gym.make("PickLLM-MO-v0", table=TABLE, observation="none")
    weighed = gym.wrappers.TransformReward(env, lambda reward: float(np.sum(reward)))
    for each in (env, weighed):
        with pytest.raises(ValueError, match=r"PickLLM-MO-v0 has three, weighed outside: take PickLLM-v0"):
            LogSteps(each, tmp_path / "mo.parquet")
    assert not (tmp_path / "mo.parquet").exists()


def test_a_propensity_of_a_step_that_was_not_taken_is_forgotten(tmp_path):
    env = VectorLogSteps(gym.make_vec("PickLLM-v0", num_envs=2, **PLAIN), tmp_path / "log.parquet")
    env.reset(seed=0)
    env.log_propensity(np.array([0.5, 0.25]))
    env.reset(options={"reset_mask": np.array([True, False])})
    env.step(np.array([0, 1]))
    env.close()
    np.testing.assert_array_equal(sorted(read_log(tmp_path / "log.parquet").propensity), [0.25, np.nan])
