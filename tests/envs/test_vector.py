"""The vector environment equals scalar environments, session by session."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from steps import assert_equal, assert_same_steps
from tables import random_table, write_random_table

from llm_routing_env.envs import PickLLMEnv, PickLLMVectorEnv

N = 3


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_random_table(tmp_path_factory.mktemp("tables"), per_context=9))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    context=st.sampled_from([None, "art", "mixed"]),
    split=st.sampled_from(["train", "test", "all"]),
    observation=st.sampled_from(["embedding", "embedding32", "features", "context", "none"]),
    reward=st.sampled_from(["pickllm", "additive"]),
    info=st.sampled_from(["full", "numbers", "none"]),
    mode=st.sampled_from(["SAME_STEP", "NEXT_STEP", "DISABLED"]),
    length=st.integers(1, 8),
)
def test_a_vector_equals_gymnasiums_own_vector_of_scalar_environments(
    table: str,
    seed: int,
    context: str | None,
    split: str,
    observation: str,
    reward: str,
    info: str,
    mode: str,
    length: int,
):
    arguments: dict[str, Any] = {
        "table": table,
        "context": context,
        "split": split,
        "observation": observation,
        "reward": reward,
        "info": info,
    }
    ours = PickLLMVectorEnv(N, length, mode, **arguments)
    theirs = SyncVectorEnv(
        [lambda: gym.make("PickLLM-v0", max_episode_steps=length, **arguments)] * N, autoreset_mode=AutoresetMode[mode]
    )
    assert_same_steps(ours, theirs, seed=seed, mode=mode, n_steps=3 * length)


@pytest.mark.parametrize("mode", ["SAME_STEP", "NEXT_STEP", "DISABLED"])
@pytest.mark.parametrize("limit", [8, 6])  # longer than some contexts; just as long as one
def test_sessions_that_end_at_different_times_equal_scalar_environments_too(mode: str, limit: int):
    whole = random_table(per_context=9)
    chosen = np.flatnonzero(whole.query_contexts >= np.arange(whole.n_queries) % 3)  # some of art, more of chess
    table = whole.resplit(chosen, np.zeros(len(chosen), dtype=bool))
    lengths = [len(table.select(context, "test")) for context in table.contexts]
    assert len(set(lengths)) == 3
    assert (limit in lengths) == (limit == 6)
    arguments: dict[str, Any] = {"table": table, "observation": "context", "info": "full"}
    ours = PickLLMVectorEnv(5, limit, mode, **arguments)
    theirs = SyncVectorEnv([lambda: TimeLimit(PickLLMEnv(**arguments), limit)] * 5, autoreset_mode=AutoresetMode[mode])
    assert_equal(ours.reset(seed=2), theirs.reset(seed=2))
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(4, size=5)
        step, expected = ours.step(actions), theirs.step(actions)
        assert_equal(step, expected)
        if mode == "DISABLED" and step[3].any():
            assert_equal(ours.reset(options={"reset_mask": step[3]}), theirs.reset(options={"reset_mask": step[3]}))


def test_nothing_that_a_step_gave_changes_later():
    env = PickLLMVectorEnv(2, 4, table=random_table(), observation="none", info="full")
    env.reset(seed=0)
    first = env.step(np.array([0, 1]))
    kept = copy.deepcopy(first)
    for _ in range(6):
        following = env.step(np.array([2, 3]))
    assert_equal(first, kept)
    for mine, later in zip(first[:4], following[:4], strict=True):
        assert not np.shares_memory(mine, later)
    np.testing.assert_array_equal(first[4]["_accuracy"], [True, True])


def test_actions_may_be_of_any_integer_type():
    rewards = []
    for kind in (np.int64, np.int8, np.uint8, np.uint64):
        env = PickLLMVectorEnv(2, 4, table=random_table(), observation="none")
        env.reset(seed=0)
        rewards.append(env.step(np.array([3, 1], dtype=kind))[1].tolist())
    assert rewards == [rewards[0]] * 4


def test_make_vec_uses_it_and_truncates_at_the_registered_length():
    env = gym.make_vec("PickLLM-v0", num_envs=2, observation="none", context="math")
    assert isinstance(env, PickLLMVectorEnv)
    env.reset(seed=0)
    ends = [env.step(np.zeros(2, dtype=int))[3].all() for _ in range(200)]
    assert ends == [False] * 199 + [True]


def test_queries_and_repeats_are_drawn_evenly():
    table = random_table(per_context=6, n_repeats=3)  # four test queries a context
    env = PickLLMVectorEnv(3_000, 1, "DISABLED", table, observation="none", context="art", info="full")
    env.reset(seed=0)
    info = env.step(np.zeros(3_000, dtype=int))[4]
    ids, counts = np.unique(info["query_id"], return_counts=True)
    assert len(ids) == 4
    assert np.all(np.abs(counts - 750) < 4.5 * np.sqrt(750 * 0.75))
    latencies, counts = np.unique(info["latency_s"], return_counts=True)
    assert len(latencies) == 12  # four queries, three repeats
    assert np.all(np.abs(counts - 250) < 4.5 * np.sqrt(250))


def test_session_i_has_seed_s_plus_i():
    table = random_table()
    vector = PickLLMVectorEnv(5, 4, table=table, observation="none")
    vector.reset(seed=10)
    rewards = vector.step(np.arange(5) % 4)[1]
    for i in range(5):
        env = PickLLMEnv(table, observation="none")
        env.reset(seed=10 + i)
        assert env.step(i % 4)[1] == rewards[i]


def test_contexts_may_differ_between_sessions():
    env = PickLLMVectorEnv(2, 4, table=random_table(), observation="none", info="full")
    _, info = env.reset(seed=0, options={"context": ["chess", "art"]})
    assert info["context"].tolist() == ["chess", "art"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PickLLMVectorEnv(0, table=random_table(), observation="none"), "num_envs must be 1 or more, got 0"),
        (
            lambda: PickLLMVectorEnv(1, 0, table=random_table(), observation="none"),
            "max_episode_steps must be 1 or more",
        ),
        (lambda: PickLLMVectorEnv(1, 9, "SAME", random_table(), observation="none"), "Unknown autoreset_mode 'SAME'"),
        (lambda: made().reset(seed=[1]), "2 seeds, one per session; got 1"),
        (lambda: made().reset(options={"reset_mask": np.array([True])}), "reset_mask.*must be 2 booleans"),
        (lambda: made().reset(options={"context": ["art"]}), "a name or 2 names, got 1"),
        (lambda: started().step(np.array([0])), "actions must be 2 integers"),
        (lambda: started().step(np.array([0, 4])), "actions must be 0 to 3, got 0 to 4"),
        (lambda: started().step(np.array([0.0, 1.0])), "actions must be 2 integers"),
    ],
)
def test_bad_input_is_refused(call: Any, message: str):
    with pytest.raises(ValueError, match=message):
        call()


def test_steps_before_reset_and_after_the_end_are_refused():
    env = PickLLMVectorEnv(1, 1, "DISABLED", random_table(), observation="none")
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.array([0]))
    env.reset(seed=0)
    env.step(np.array([0]))
    with pytest.raises(RuntimeError, match="Session 0 has ended"):
        env.step(np.array([0]))


def made() -> PickLLMVectorEnv:
    return PickLLMVectorEnv(2, 4, table=random_table(), observation="none")


def started() -> PickLLMVectorEnv:
    env = made()
    env.reset(seed=0)
    return env


def test_a_seed_leaves_the_sessions_alone_that_are_not_restarted():
    table, mask = random_table(), np.array([True, False, True])
    ours = PickLLMVectorEnv(3, 4, "DISABLED", table, observation="none", info="full")
    theirs = SyncVectorEnv(
        [lambda: TimeLimit(PickLLMEnv(table, observation="none"), 4)] * 3, autoreset_mode=AutoresetMode.DISABLED
    )
    assert_equal(ours.reset(seed=0), theirs.reset(seed=0))
    for seed in (77, [5, 6, None]):
        restarted = [env.reset(seed=seed, options={"reset_mask": mask.copy()}) for env in (ours, theirs)]
        assert_equal(*restarted)
        assert_equal(ours.reset(), theirs.reset())


def test_each_session_s_generator_can_be_looked_at(table: str):
    env, alone = PickLLMVectorEnv(N, table=table), PickLLMEnv(table=table)
    assert len(env.np_random) == N
    env.reset(seed=5)
    alone.reset(seed=6)
    assert env.np_random[1].bit_generator.state == alone.np_random.bit_generator.state
    env.reset(options={"reset_mask": np.array([True, False, False])})
    env.reset()
    assert env.np_random_seed == (5, 6, 7)


def test_looking_at_the_generators_does_not_start_the_sessions(table: str):
    env = PickLLMVectorEnv(N, table=table)
    assert len(env.np_random) == N
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.zeros(N, dtype=np.int64))
