"""What Gymnasium and Stable-Baselines3 expect of every id this package registers."""

import json
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import llm_routing_env
from llm_routing_env.observations.encoders import ENCODERS
from llm_routing_env.tables.shipped import shipped_tables
from llm_routing_env.tables.table import OutcomeTable

IDS = sorted(name for name, spec in gym.registry.items() if str(spec.entry_point).startswith("llm_routing_env"))
MULTI_OBJECTIVE_IDS = ["PickLLM-MO-v0"]  # the checkers want a number: tests/envs/test_multi_objective.py
TABLE_IDS = [name for name in IDS if not gym.spec(name).nondeterministic and name not in MULTI_OBJECTIVE_IDS]


# The table is part of the version: another table means another -v number.
SHA256 = {
    "everyday": "074fce43dbc0a9b123a34d0ae215aa2cd32b0f5910e5eab0f2814ab9bbbca1c1",
    "nano": "01558f76bcdfc1d63db09e32eca19dbfcd88eb26b8cda291209444f6c6071eda",
}


def test_the_shipped_tables_are_those_that_v0_means():
    assert {name: OutcomeTable.read(name).sha256 for name in shipped_tables()} == SHA256


@pytest.mark.parametrize("table", SHA256)
def test_every_shipped_table_passes_both_checkers_in_every_context(table: str):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings_are_errors():
        for context in OutcomeTable.read(table).contexts:
            env = gym.make("PickLLM-v0", table=table, context=context)
            check_env(env.unwrapped, skip_render_check=True)
            checker.check_env(env, warn=True)


@contextmanager
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_all_ids_are_registered():
    assert IDS == ["PickLLM-MO-v0", "PickLLM-Multi-v0", "PickLLM-v0", "PickLLMLive-v0"]
    gym.register_envs(llm_routing_env)


@pytest.mark.parametrize("env_id", TABLE_IDS)
@pytest.mark.parametrize("observation", ENCODERS)
def test_gymnasium_checker_passes_without_a_warning(env_id: str, observation: str):
    with warnings_are_errors():
        if env_id == "PickLLM-Multi-v0" and observation == "prompt":
            pytest.skip("what is seen of asks are numbers")
        env = gym.make(env_id, observation=observation)
        # The checker asks for a render mode at construction, which `make` covers below.
        check_env(env.unwrapped, skip_render_check=True)


@pytest.mark.parametrize("env_id", TABLE_IDS)
def test_sb3_checker_passes_without_a_warning(env_id: str):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    util = pytest.importorskip("stable_baselines3.common.env_util")
    with warnings_are_errors():
        checker.check_env(gym.make(env_id), warn=True)
        util.make_vec_env(env_id, n_envs=2, env_kwargs={"context": "math"}).reset()


@pytest.mark.parametrize("env_id", TABLE_IDS)
@pytest.mark.parametrize("render_mode", ["ansi", "rgb_array", "human", None])
def test_every_render_mode_works(env_id: str, render_mode: str | None, capsys: pytest.CaptureFixture[str]):
    env = gym.make(env_id, render_mode=render_mode)
    env.reset(seed=0)
    env.step(0)
    if render_mode is None:
        return
    picture = env.render()
    if render_mode == "rgb_array":
        assert picture.dtype == np.uint8
        assert picture.shape == (360, 640, 3)
    text = capsys.readouterr().out if render_mode == "human" else picture
    if render_mode != "rgb_array":
        assert "accuracy" in text
        assert "100.0%" in text


@pytest.mark.parametrize("env_id", IDS)
def test_specs_round_trip_through_json(env_id: str):
    spec = gym.spec(env_id)
    again = EnvSpec.from_json(spec.to_json())
    assert again.id == env_id
    assert json.loads(again.to_json()) == json.loads(spec.to_json())


def test_a_made_environments_spec_round_trips_with_its_arguments():
    env = gym.make("PickLLM-v0", context="math", weights=[1, 0, 0.5], reward="additive")
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    np.testing.assert_array_equal(again.reset(seed=5)[0], env.reset(seed=5)[0])
    assert [again.step(1)[1] for _ in range(5)] == [env.step(1)[1] for _ in range(5)]


@pytest.mark.parametrize("env_id", TABLE_IDS)
def test_the_same_seed_gives_the_same_stream_and_another_another(env_id: str):
    def stream(seed: int) -> list[object]:
        env = gym.make(env_id)
        steps: list[object] = [env.reset(seed=seed)]
        for _ in range(2):
            steps += [env.step(i % env.action_space.n) for i in range(60)]
            steps.append(env.reset())  # an unseeded reset continues the stream
        return steps

    first, again, other = stream(1), stream(1), stream(2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_equal(a, b)
    assert first[0][1]["query_id"] != other[0][1]["query_id"]


@pytest.mark.parametrize("env_id", TABLE_IDS)
def test_steps_return_builtin_types_and_fresh_objects(env_id: str):
    env = gym.make(env_id)
    _, info = env.reset(seed=0)
    following, reward, terminated, truncated, later = env.step(np.array(1))
    assert (type(reward), type(terminated), type(truncated)) == (float, bool, bool)
    assert info is not later
    assert not np.shares_memory(following, env.unwrapped.problem.observations)
    masks = {"action_mask"} & set(later)
    json.dumps({name: value for name, value in later.items() if name not in masks})  # plain values only


@pytest.mark.parametrize("name", ["PickLLM-v0", "llm_routing_env:PickLLM-v0"])
def test_both_forms_of_make_work_in_a_fresh_process(name: str):
    start = "" if ":" in name else "import llm_routing_env; "
    code = f"import gymnasium as gym; {start}print(gym.make({name!r}).reset(seed=0)[0].shape)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(384,)"


def test_a_typing_error_suggests_the_id():
    with pytest.raises(gym.error.NameNotFound, match="PickLLM"):
        gym.make("PikLLM-v0")


@pytest.mark.parametrize("env_id", IDS)
def test_a_vector_says_that_it_does_not_render(env_id: str):
    with pytest.raises(ValueError, match=r"do not render, got render_mode='rgb_array': .*gym\.make\("):
        gym.make_vec(env_id, num_envs=2, render_mode="rgb_array")


def test_a_vector_of_recorded_outcomes_names_the_live_one():
    with pytest.raises(ValueError, match=r"""got backend='vllm': gym\.make_vec\("PickLLMLive-v0", """):
        gym.make_vec("PickLLM-v0", num_envs=2, backend="vllm")
    gym.make_vec("PickLLM-v0", num_envs=2, backend="table", render_mode=None)


@pytest.mark.parametrize("vectorization_mode", ["sync", "async", "vector_entry_point"])
def test_every_vectorization_gives_the_same_rewards(vectorization_mode: str):
    env = gym.make_vec("PickLLM-v0", num_envs=3, vectorization_mode=vectorization_mode, context="math")
    observation, _ = env.reset(seed=4)
    rewards = np.array([env.step(np.array([0, 1, 2]))[1] for _ in range(10)])
    env.close()
    for i in range(3):
        single = gym.make("PickLLM-v0", context="math")
        np.testing.assert_array_equal(single.reset(seed=4 + i)[0], observation[i])
        assert [single.step(i)[1] for _ in range(10)] == rewards[:, i].tolist()
