"""Many sessions of several asks equal Gymnasium's own vector of scalar environments, step for step."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from asking import voting_table
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import assert_equal, assert_same_steps
from tables import sparse_table

from llm_routing_env.envs import PickLLMMultiEnv, PickLLMMultiVectorEnv

TABLES = {"voting": voting_table(), "sparse": sparse_table(per_context=9)}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    table=st.sampled_from(sorted(TABLES)),
    context=st.sampled_from([None, "art", "mixed"]),
    reward=st.sampled_from(["pickllm", "additive"]),
    info=st.sampled_from(["full", "numbers", "none"]),
    mode=st.sampled_from(["SAME_STEP", "NEXT_STEP", "DISABLED"]),
    episode=st.sampled_from(["session", "query"]),
    parallel=st.booleans(),
    max_asks=st.integers(1, 4),
    n_queries=st.integers(1, 8),
)
def test_a_vector_equals_gymnasiums_own_vector_of_scalar_environments(seed: int, table: str, mode: str, **options: Any):
    arguments = options | {"table": TABLES[table], "observation": "context"}
    ours = PickLLMMultiVectorEnv(3, mode, **arguments)
    theirs = SyncVectorEnv([lambda: PickLLMMultiEnv(**arguments)] * 3, autoreset_mode=AutoresetMode[mode])
    assert_same_steps(ours, theirs, seed=seed, mode=mode, n_steps=30)


@pytest.mark.parametrize("episode", ["session", "query"])
def test_some_sessions_restart_alone(episode: str):
    arguments: dict[str, Any] = {"table": TABLES["voting"], "observation": "none", "episode": episode}
    ours = PickLLMMultiVectorEnv(3, "DISABLED", info="full", **arguments)
    theirs = SyncVectorEnv([lambda: PickLLMMultiEnv(**arguments)] * 3, autoreset_mode=AutoresetMode.DISABLED)
    assert_equal(ours.reset(seed=3), theirs.reset(seed=3))
    for actions in ([0, 1, 2], [1, 1, 3]):
        assert_equal(ours.step(np.array(actions)), theirs.step(np.array(actions)))
    for options in ({}, {"context": "chess"}):
        mask = np.array([True, True, False])
        told = (
            ours.reset(options=options | {"reset_mask": mask}),
            theirs.reset(options=options | {"reset_mask": mask}),
        )
        assert_equal(*told)


def test_make_vec_uses_it():
    env = gym.make_vec("PickLLM-Multi-v0", num_envs=2, n_queries=2, observation="none", context="math")
    assert isinstance(env, PickLLMMultiVectorEnv)
    env.reset(seed=0)
    ends = [env.step(np.zeros(2, dtype=int))[3].all() for _ in range(5)]
    assert ends == [False, False, False, True, False]  # two queries of two steps; the next step starts a session


def test_an_llm_that_cannot_be_asked_is_refused_with_its_session():
    env = PickLLMMultiVectorEnv(20, table=TABLES["sparse"], observation="none")
    env.reset(seed=0)
    refused = ~env.action_masks()[:, :4]
    actions = np.where(refused.any(axis=1), refused.argmax(axis=1), 4)
    row = int(refused.any(axis=1).argmax())
    with pytest.raises(ValueError, match=rf"action {actions[row]} of session {row} is masked: llm-{actions[row]} "):
        env.step(actions)


def test_nothing_that_a_step_gave_changes_later():
    env = PickLLMMultiVectorEnv(2, table=TABLES["voting"], observation="none")
    env.reset(seed=0)
    first = env.step(np.array([0, 1]))
    kept = [np.copy(part) for part in (*first[:4], *(value for value in first[4].values()))]
    for action in (1, 4, 2, 4):
        env.step(np.array([action, action]))
    for part, copy in zip((*first[:4], *first[4].values()), kept, strict=True):
        np.testing.assert_array_equal(part, copy)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs must be 1 or more"),
        ({"render_mode": "ansi"}, r"gym\.make\('PickLLM-Multi-v0', render_mode='ansi'\)"),
        ({"backend": "vllm"}, "not shipped: give pool="),
        ({"journal": "j.sqlite"}, "needs a live backend"),
        ({"max_episode_steps": 5}, "Unknown argument 'max_episode_steps'"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        PickLLMMultiVectorEnv(**({"table": TABLES["voting"], "observation": "none"} | options))


def test_stable_baselines3_takes_it():
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_checker import check_env

    from llm_routing_env.envs import PickLLMSB3VecEnv

    check_env(PickLLMMultiEnv(TABLES["voting"], observation="none"), warn=True)
    env = PickLLMSB3VecEnv(4, "PickLLM-Multi-v0", episode="query", table=TABLES["voting"], observation="none")
    model = PPO("MlpPolicy", env, gamma=1.0, n_steps=32, batch_size=64, n_epochs=1, seed=0, device="cpu").learn(128)
    assert model.num_timesteps == 128
    assert np.array(env.env_method("action_masks")).shape == (4, 5)
