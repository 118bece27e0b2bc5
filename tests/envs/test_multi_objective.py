"""`PickLLM-MO-v0`: the sessions of `PickLLM-v0` with a vector reward, scalar and vectorised."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import TransformReward
from tables import random_table, sparse_table

from llm_routing_env.agents import make_agent
from llm_routing_env.envs import PickLLMMOEnv, PickLLMMOVectorEnv
from llm_routing_env.envs.pickllm import PickLLMEnv

WEIGHTS = np.array([1, 0.5, 0.5])
PREFERENCES: list[Any] = [None, "dirichlet", (0.5, 0.25, 0.25)]


def scalarised(**arguments: Any) -> gym.Env[Any, Any]:
    return TransformReward(gym.make("PickLLM-MO-v0", **arguments), lambda reward: float(WEIGHTS @ reward))


def test_the_weighted_sum_is_the_additive_reward():
    summed, plain = scalarised(), gym.make("PickLLM-v0", reward="additive")
    for _ in range(2):
        seen, info = summed.reset(seed=5)
        same, other = plain.reset(seed=5)
        np.testing.assert_array_equal(seen, same)
        assert info == other
        for i in range(200):
            step, expected = summed.step(i % 4), plain.step(i % 4)
            assert step[1] == pytest.approx(expected[1], abs=1e-14)
            np.testing.assert_array_equal(step[0], expected[0])
            assert step[2:] == expected[2:]


def test_every_reward_lies_in_the_reward_space_and_is_fresh():
    env = gym.make("PickLLM-MO-v0", context="mixed", split="all")
    space = env.unwrapped.reward_space
    env.reset(seed=0)
    first = env.step(0)[1]
    kept = first.copy()
    first[:] = 7  # as MONormalizeReward does
    env.reset(seed=0)
    np.testing.assert_array_equal(env.step(0)[1], kept)
    for i in range(150):
        reward = env.step(i % 4)[1]
        assert reward.dtype == np.float64
        assert space.contains(reward)


@pytest.mark.parametrize("scenario", ["price_war", "silent_degradation", "outage", "slow_motion"])
def test_the_reward_space_holds_under_a_scenario(scenario: str):
    env = gym.make("PickLLM-MO-v0", scenario=scenario, observation="none")
    env.reset(seed=1)
    for _ in range(200):
        allowed = np.flatnonzero(env.unwrapped.action_masks())
        assert env.unwrapped.reward_space.contains(env.step(allowed[-1])[1])


def test_a_failed_call_gets_the_lowest_of_each():
    env = gym.make("PickLLM-MO-v0", scenario="outage", observation="none", context="math")
    env.reset(seed=0)
    failed = [reward for i in range(200) for _, reward, *_, info in [env.step(i % 4)] if info["error"]]
    assert failed
    np.testing.assert_array_equal(failed, np.tile(env.unwrapped.reward_space.low, (len(failed), 1)))


@pytest.mark.filterwarnings("ignore:.*different from the unwrapped version")
@pytest.mark.parametrize("preference", PREFERENCES)
def test_checkers_pass_once_the_reward_is_a_number(preference: Any):
    made = PickLLMMOEnv(observation="context", preference=preference)
    check_env(
        TransformReward(made, lambda reward: float(WEIGHTS @ reward)), skip_render_check=True, skip_close_check=True
    )
    pytest.importorskip("stable_baselines3.common.env_checker").check_env(scalarised(preference=preference), warn=True)


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_it_renders(mode: str):
    env = gym.make("PickLLM-MO-v0", render_mode=mode)
    env.reset(seed=0)
    env.step(1)
    assert len(env.render())


@pytest.mark.parametrize("preference", PREFERENCES)
def test_specs_round_trip_with_their_arguments(preference: Any):
    env = gym.make("PickLLM-MO-v0", preference=preference, context="math", weights=[1, 0, 0.5])
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    np.testing.assert_array_equal(again.reset(seed=5)[0], env.reset(seed=5)[0])
    np.testing.assert_array_equal(again.step(1)[1], env.step(1)[1])


@pytest.mark.parametrize("preference", PREFERENCES)
def test_the_same_seed_gives_the_same_stream_and_another_another(preference: Any):
    def stream(seed: int) -> list[Any]:
        env = gym.make("PickLLM-MO-v0", preference=preference)
        steps: list[Any] = [env.reset(seed=seed)]
        for _ in range(2):
            steps += [env.step(i % 4) for i in range(20)]
            steps.append(env.reset())
        return steps

    first, again, other = stream(1), stream(1), stream(2)
    np.testing.assert_equal(first, again)
    assert first[0][1]["query_id"] != other[0][1]["query_id"]


def test_a_preference_is_the_last_three_numbers_and_changes_with_the_session():
    env = gym.make("PickLLM-MO-v0", preference="dirichlet", observation="embedding32")
    drawn = []
    for seed in (3, None, None):
        seen, _ = env.reset(seed=seed)
        assert seen.shape == (35,)
        assert env.observation_space.contains(seen)
        assert env.unwrapped.preference.sum() == pytest.approx(1, abs=1e-12)
        later = env.step(0)[0]
        np.testing.assert_array_equal(later[-3:], seen[-3:])
        np.testing.assert_array_equal(seen[-3:], env.unwrapped.preference.astype(np.float32))
        drawn.append(seen[-3:].tolist())
    assert len(np.unique(drawn, axis=0)) == 3


def test_sessions_are_the_same_with_and_without_a_preference():
    streams = []
    for preference in PREFERENCES:
        env = gym.make("PickLLM-MO-v0", preference=preference, observation="embedding32")
        seen = [env.reset(seed=seed)[0][:32] for seed in (2, None, None)]
        streams.append((seen, env.step(1)[1]))
    for other in streams[1:]:
        np.testing.assert_equal(other, streams[0])


def test_preferences_are_drawn_evenly():
    env = PickLLMMOVectorEnv(1000, 1, table=random_table(), observation="none", preference="dirichlet")
    env.reset(seed=0)
    # Dirichlet(1, 1, 1): each has the mean 1/3 and the variance 1/18, and is above a half with the probability 1/4.
    assert np.abs(env.preference.mean(axis=0) - 1 / 3).max() < 4.5 * (1 / 18 / 1000) ** 0.5
    assert np.abs((env.preference > 0.5).mean(axis=0) - 0.25).max() < 4.5 * (0.25 * 0.75 / 1000) ** 0.5


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("preference", PREFERENCES)
def test_a_vector_equals_scalar_environments(preference: Any, sparse: bool):
    table = (sparse_table if sparse else random_table)()
    arguments: dict[str, Any] = {"table": table, "observation": "context", "preference": preference}
    vector = PickLLMMOVectorEnv(3, 6, **arguments)
    singles = [gym.wrappers.TimeLimit(PickLLMMOEnv(info="numbers", **arguments), 6) for _ in range(3)]
    assert vector.single_observation_space == singles[0].observation_space
    assert vector.reward_space == singles[0].unwrapped.reward_space
    seen = vector.reset(seed=4)[0]
    np.testing.assert_array_equal(seen, [env.reset(seed=4 + i)[0] for i, env in enumerate(singles)])
    ended, rng = np.zeros(3, dtype=bool), np.random.default_rng(0)
    for _ in range(20):
        masks = vector.action_masks()
        actions = np.argmax(rng.random(masks.shape) * masks, axis=1)
        seen, rewards, _, truncated, infos = vector.step(actions)
        for i, env in enumerate(singles):
            expected = (env.reset()[0], np.zeros(3), False, False, {}) if ended[i] else env.step(actions[i])
            np.testing.assert_array_equal(seen[i], expected[0])
            np.testing.assert_array_equal(rewards[i], expected[1])
            assert truncated[i] == expected[3]
            if not ended[i]:
                assert infos["accuracy"][i] == expected[4]["accuracy"] == rewards[i, 0]
        ended = truncated


def test_a_session_that_starts_anew_in_a_step_shows_its_last_preference_as_final():
    env = PickLLMMOVectorEnv(2, 1, "SAME_STEP", random_table(), observation="none", preference="dirichlet")
    before = env.reset(seed=0)[0]
    after, rewards, _, truncated, infos = env.step(np.array([0, 1]))
    assert truncated.all()
    assert (rewards != 0).any(axis=1).all()
    np.testing.assert_array_equal(np.stack(infos["final_obs"])[:, -3:], before[:, -3:])
    assert (after[:, -3:] != before[:, -3:]).any(axis=1).all()


def test_a_copy_goes_on_like_the_original():
    env = PickLLMMOEnv(random_table(), observation="none", preference="dirichlet")
    env.reset(seed=0)
    twin = copy.deepcopy(env)
    for _ in range(2):
        np.testing.assert_equal(twin.step(1), env.step(1))
        np.testing.assert_equal(twin.reset(), env.reset())


def test_make_vec_uses_the_native_vector():
    env = gym.make_vec("PickLLM-MO-v0", num_envs=2, observation="none")
    assert isinstance(env, PickLLMMOVectorEnv)
    env.reset(seed=0)
    assert env.step(np.array([0, 1]))[1].shape == (2, 3)


def test_agents_can_see_the_preference():
    env = PickLLMMOEnv(observation="embedding32", preference="dirichlet")
    agent = make_agent("linucb", env.task, observation=env.task.observation, seed=0)
    seen, _ = env.reset(seed=0)
    for _ in range(10):
        action = agent.select_action(seen)
        following, reward, *_ = env.step(action)
        agent.update(seen, action, float(env.preference @ reward))
        seen = following
    with pytest.raises(ValueError, match="reward must be 1 finite number"):
        agent.update(seen, action, reward)


PREFERENCE = "preference must be 'dirichlet', or three numbers .* that sum to 1"


@pytest.mark.parametrize("kind", [PickLLMMOEnv, PickLLMMOVectorEnv])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preference": (0.5, 0.5, 0.5)}, PREFERENCE),
        ({"preference": (1.5, -0.5, 0)}, PREFERENCE),
        ({"preference": (np.nan, 0.5, 0.5)}, PREFERENCE),
        ({"preference": [0.5, 0.5]}, PREFERENCE),
        ({"preference": [[1], [2, 3]]}, PREFERENCE),
        ({"preference": "uniform"}, PREFERENCE),
        ({"preference": 1}, PREFERENCE),
        ({"preference": "dirichlet", "observation": "prompt"}, "cannot be joined to observation='prompt', a text"),
        ({"reward": "pickllm"}, "additive form, got reward='pickllm': leave it out"),
        ({"extra_terms": {"toxicity": 1.0}}, "3 numbers, accuracy, cost, latency, got extra_terms"),
        ({"backend": "vllm"}, "recorded outcomes only, got backend='vllm'"),
        ({"prefrence": "dirichlet"}, "Unknown argument 'prefrence'. Did you mean 'preference'"),
        ({"cost_scale_usd": 0.0, "weights": (1, 0, 1)}, "cost_scale_usd must be a finite number above 0"),
    ],
)
def test_bad_input_is_one_line(kind: Any, arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message) as refused:
        kind(**{"observation": "context"} | arguments)
    assert "\n" not in str(refused.value)


def test_stable_baselines3_is_told_before_it_learns():
    vector = pytest.importorskip("llm_routing_env.envs.sb3_vector", exc_type=ImportError)
    with pytest.raises(ValueError, match="one number a step, PickLLM-MO-v0 gives several"):
        vector.PickLLMSB3VecEnv(2, "PickLLM-MO-v0")


def test_actions_are_refused_as_in_v0():
    ours, theirs = PickLLMMOEnv(random_table(), observation="none"), PickLLMEnv(random_table(), observation="none")
    with pytest.raises(RuntimeError, match="call reset"):
        ours.step(0)
    for env in (ours, theirs):
        env.reset(seed=0)
        for action in (4, -1, 0.5, "a"):
            with pytest.raises(ValueError, match="action must be"):
                env.step(action)
