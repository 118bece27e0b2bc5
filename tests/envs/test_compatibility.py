"""What other libraries assume of an environment, and broke on."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import vector as wrappers
from tables import random_table

from llm_routing_env.envs.live_vector import PickLLMLiveVectorEnv
from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.envs.vector import PickLLMVectorEnv


@pytest.mark.parametrize("info", ["full", "numbers", "none"])
def test_no_value_of_an_info_is_none(info: str):
    env = PickLLMEnv(random_table(), observation="none", info=info)
    _, first = env.reset(seed=0)
    assert None not in (*first.values(), *env.step(0)[4].values())


def test_the_default_is_the_autoreset_of_gymnasium_s_own_vectors():
    ours = gym.make_vec("PickLLM-v0", num_envs=2)
    theirs = gym.make_vec("PickLLM-v0", num_envs=2, vectorization_mode="sync")
    assert ours.metadata["autoreset_mode"] is theirs.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP


@pytest.mark.parametrize("mode", [*AutoresetMode, *(mode.name for mode in AutoresetMode), "NextStep", "SameStep"])
def test_an_autoreset_mode_is_known_by_name_and_by_value(mode: Any):
    env = PickLLMVectorEnv(2, autoreset_mode=mode, table=random_table(), observation="none")
    assert env.autoreset_mode is env.metadata["autoreset_mode"]
    assert mode in (env.autoreset_mode, env.autoreset_mode.name, env.autoreset_mode.value)


@pytest.mark.parametrize("wrap", [wrappers.NormalizeObservation, wrappers.FlattenObservation, wrappers.NormalizeReward])
def test_gymnasium_s_vector_wrappers_take_it_as_it_is(wrap: Any):
    env = wrap(gym.make_vec("PickLLM-v0", num_envs=3, max_episode_steps=2))
    env.reset(seed=0)
    ended = [env.step(np.zeros(3, dtype=int))[3].all() for _ in range(6)]
    assert ended == [False, True, False, False, True, False]  # the third step starts a session


@pytest.mark.parametrize("kind", [PickLLMVectorEnv, PickLLMLiveVectorEnv])
def test_the_class_says_itself_that_it_is_a_vector(kind: type):
    assert VectorEnv in [getattr(base, "__origin__", base) for base in kind.__bases__]


def test_the_seeds_that_a_reset_was_given_are_told():
    env = PickLLMVectorEnv(3, table=random_table(), observation="none")
    env.reset(seed=5)
    assert env.np_random_seed == (5, 6, 7)
    env.reset(seed=[1, 9, 4], options={"reset_mask": np.array([False, True, False])})
    assert env.np_random_seed == (5, 9, 7)


def test_a_copy_shares_what_never_changes_and_goes_on_alone():
    env = PickLLMEnv(random_table(), observation="none")
    env.reset(seed=3)
    twin = copy.deepcopy(env)
    assert twin.problem is env.problem
    steps = [env.step(1)[1] for _ in range(3)]
    assert [twin.step(1)[1] for _ in range(3)] == steps
    np.testing.assert_array_equal(env.reset()[0], twin.reset()[0])  # the next session too


def test_the_rewards_of_a_session_are_those_that_its_steps_give():
    env = PickLLMEnv(random_table(), observation="none")
    with pytest.raises(RuntimeError, match="call reset"):
        env.session_rewards()
    env.reset(seed=3)
    rewards = env.session_rewards()
    assert rewards.shape[1] == env.task.n_actions
    assert [env.step(step % env.task.n_actions)[1] for step in range(len(rewards))] == [
        row[step % env.task.n_actions] for step, row in enumerate(rewards.tolist())
    ]


def test_an_action_may_be_an_array_of_one_element():
    env, twin = PickLLMEnv(random_table(), observation="none"), PickLLMEnv(random_table(), observation="none")
    env.reset(seed=0)
    twin.reset(seed=0)
    assert env.step(np.array([1]))[1] == twin.step(1)[1]  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [PickLLMEnv, PickLLMVectorEnv])
def test_a_keyword_is_refused_as_python_does_it_by_which_torchrl_takes_frameskip_back(kind: Any):
    with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'"):
        kind(frameskip=1)
