"""The vector environment of Stable-Baselines3 equals its own way to many sessions, and serves its algorithms."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tables import random_table

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv, VecMonitor, VecNormalize

from llm_routing_env.envs import PickLLMSB3VecEnv

OPTIONS: dict[str, Any] = {"table": random_table(), "observation": "features"}


@pytest.mark.parametrize("info", ["none", "numbers", "full"])
def test_it_equals_stable_baselines3_s_own_vector_step_for_step(info: str):
    ours = PickLLMSB3VecEnv(3, max_episode_steps=4, info=info, **OPTIONS)
    theirs = make_vec_env(lambda: gym.make("PickLLM-v0", max_episode_steps=4, info=info, **OPTIONS), 3)
    rng = np.random.default_rng(0)
    for env in (ours, theirs):
        env.seed(7)
    np.testing.assert_array_equal(ours.reset(), theirs.reset())
    assert ours.reset_infos == theirs.reset_infos
    for _ in range(10):
        actions = rng.integers(ours.action_space.n, size=3)
        mine, others = ours.step(actions), theirs.step(actions)
        for value, other in zip(mine[:3], others[:3], strict=True):
            np.testing.assert_array_equal(value, other)
            assert value.dtype == other.dtype
        for told, other in zip(mine[3], others[3], strict=True):
            other.pop("episode", None)  # Monitor's
            if not other["TimeLimit.truncated"]:
                del other["TimeLimit.truncated"]  # DummyVecEnv has it at every step
            assert_same(told, other)


def assert_same(told: dict[str, Any], other: dict[str, Any]) -> None:
    assert told.keys() == other.keys()
    for name, value in other.items():
        if isinstance(value, dict):
            assert_same(told[name], value)
        else:
            np.testing.assert_array_equal(told[name], value)


def test_a_session_s_context_may_be_set():
    env = PickLLMSB3VecEnv(2, info="full", **OPTIONS)
    contexts = env.env.problem.contexts
    env.set_options([{"context": contexts[0]}, {"context": contexts[-1]}])
    env.reset()
    assert [info["context"] for info in env.reset_infos] == [contexts[0], contexts[-1]]


def test_an_algorithm_learns_on_it_under_the_usual_wrappers():
    env = VecNormalize(VecMonitor(PickLLMSB3VecEnv(4, max_episode_steps=8, **OPTIONS)))
    model = PPO("MlpPolicy", env, n_steps=16, batch_size=16, gamma=0.0, seed=0, device="cpu")
    model.learn(256)
    assert {episode["l"] for episode in model.ep_info_buffer} == {8}


def test_masks_are_told_for_each_session():
    scenario = [{"event": "outage", "llm": random_table().llm_names[1], "step": 0}]
    env: VecEnv = PickLLMSB3VecEnv(2, scenario=scenario, **OPTIONS)
    env.reset()
    masks = np.stack(env.env_method("action_masks"))
    assert not masks[:, 1].any()
    assert masks.sum() == 2 * (env.action_space.n - 1)
    with pytest.raises(AttributeError, match="share"):
        env.set_attr("info", "full")


def test_an_option_that_is_none_is_refused_as_everywhere():
    env = PickLLMSB3VecEnv(2, **OPTIONS)
    env.set_options({"contxt": "art"})
    with pytest.raises(ValueError, match=r"Unknown reset option 'contxt'. Did you mean 'context'"):
        env.reset()
