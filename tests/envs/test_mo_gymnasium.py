"""MO-Gymnasium's wrappers and vector on `PickLLM-MO-v0`; skipped where it is not installed."""

import gymnasium as gym
import numpy as np
import pytest

mo_gym = pytest.importorskip("mo_gymnasium")


def made(**arguments: object) -> gym.Env:
    return mo_gym.make("PickLLM-MO-v0", **arguments)


def test_linear_reward_with_the_rewards_weights_is_the_additive_reward():
    summed, plain = made(), gym.make("PickLLM-v0", reward="additive")
    weights = np.array(summed.unwrapped.problem.reward.weights)
    summed = mo_gym.wrappers.LinearReward(summed, weights)
    summed.reset(seed=0)
    plain.reset(seed=0)
    for i in range(200):
        assert summed.step(i % 4)[1] == pytest.approx(plain.step(i % 4)[1], abs=1e-14)


def test_statistics_of_an_episode_are_its_sums():
    env = mo_gym.wrappers.MORecordEpisodeStatistics(made())
    env.reset(seed=0)
    total, ended = np.zeros(3), False
    while not ended:
        _, reward, _, ended, info = env.step(1)
        total += reward
    np.testing.assert_allclose(info["episode"]["r"], total, rtol=1e-5)


def test_normalising_changes_one_number_only():
    env, plain = mo_gym.wrappers.MONormalizeReward(made(), idx=2), made()
    env.reset(seed=0)
    plain.reset(seed=0)
    for _ in range(3):
        normalised, reward = env.step(0)[1], plain.step(0)[1]
        np.testing.assert_array_equal(normalised[:2], reward[:2])
        assert normalised[2] != reward[2]


@pytest.mark.parametrize("preference", [None, "dirichlet"])
def test_its_vector_equals_ours(preference: str | None):
    theirs = mo_gym.wrappers.vector.MOSyncVectorEnv([lambda: made(preference=preference, info="numbers")] * 3)
    ours = gym.make_vec("PickLLM-MO-v0", num_envs=3, preference=preference)
    assert ours.reward_space == theirs.reward_space
    np.testing.assert_array_equal(ours.reset(seed=1)[0], theirs.reset(seed=1)[0])
    for i in range(205):  # over the end of a session
        step, expected = (env.step((np.arange(3) + i) % 4) for env in (ours, theirs))
        np.testing.assert_array_equal(step[0], expected[0])
        np.testing.assert_array_equal(step[1].astype(np.float32), expected[1])
        np.testing.assert_array_equal(step[3], expected[3])


def test_its_statistics_take_our_vector():
    env = mo_gym.wrappers.vector.MORecordEpisodeStatistics(gym.make_vec("PickLLM-MO-v0", num_envs=2))
    env.reset(seed=0)
    total = np.zeros((2, 3))
    for _ in range(200):
        _, rewards, *_, infos = env.step(np.array([0, 1]))
        total += rewards
    np.testing.assert_allclose(infos["episode"]["r"], total, rtol=1e-5)
