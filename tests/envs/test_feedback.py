"""Rewards that come late or never: what arrives when, and that the session is the same."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tables import random_table

from llm_routing_env.envs import DelayedFeedback, DroppedFeedback, PickLLMEnv

TABLE = random_table(per_context=30)


def plain() -> gym.Env[Any, Any]:
    return PickLLMEnv(table=TABLE, observation="none", split="all", context="art")


def run(
    env: gym.Env[Any, Any], seed: int = 3, n_steps: int = 20
) -> tuple[list[float], list[list[dict[str, Any]]], list[str]]:
    _, info = env.reset(seed=seed)
    rewards, arrived, asked = [], [], [info["query_id"]]
    for step in range(n_steps):
        _, reward, _, _, info = env.step(step % 4)
        rewards.append(float(reward))
        arrived.append(info.get("feedback", []))
        asked.append(info["next_prompt"])
    return rewards, arrived, asked


def test_a_fixed_delay_brings_every_reward_so_many_steps_later():
    expected, _, asked = run(plain())
    rewards, arrived, same = run(DelayedFeedback(plain(), 3))
    assert same == asked
    assert set(rewards) == {0.0}
    assert arrived[:3] == [[], [], []]
    assert arrived[3:] == [[{"step": step, "action": step % 4, "reward": expected[step]}] for step in range(17)]
    assert run(DelayedFeedback(plain(), 0))[1] == [
        [{"step": step, "action": step % 4, "reward": reward}] for step, reward in enumerate(expected)
    ]


def test_drawn_delays_are_the_seeds_and_follow_their_law():
    env = DelayedFeedback(plain(), ("uniform", 1, 4))
    first, again, other = run(env), run(env), run(env, seed=4)
    assert first[1] == again[1]
    assert [len(each) for each in first[1]] != [len(each) for each in other[1]]
    assert run(plain())[2] == first[2]
    delays = [step - told["step"] for seed in range(60) for step, each in enumerate(run(env, seed)[1]) for told in each]
    assert set(delays) == {1, 2, 3, 4}
    geometric = DelayedFeedback(plain(), ("geometric", 0.5))
    delays = [s - told["step"] for seed in range(60) for s, each in enumerate(run(geometric, seed)[1]) for told in each]
    assert min(delays) == 0
    assert abs(np.mean(np.array(delays) == 0) - 0.5) < 0.06


def test_dropped_rewards_never_arrive_and_the_others_do_at_once():
    expected, _, _ = run(plain())
    env = DroppedFeedback(plain(), 0.5)
    arrived = [told for seed in range(40) for each in run(env, seed)[1] for told in each]
    assert abs(len(arrived) / (40 * 20) - 0.5) < 0.07
    told = {each["step"]: each["reward"] for step in run(env)[1] for each in step}
    assert told == {step: expected[step] for step in told}
    assert run(DroppedFeedback(plain(), 0))[1] == run(DelayedFeedback(plain(), 0))[1]
    assert all(each == [] for each in run(DroppedFeedback(plain(), 1))[1])


def test_a_new_session_begins_without_what_was_under_way():
    env = DelayedFeedback(plain(), 2)
    run(env, n_steps=5)
    _, info = env.reset()
    assert info["feedback"] == []
    assert env.step(0)[4]["feedback"] == []


@pytest.mark.parametrize("wrapper", [lambda env: DelayedFeedback(env, 1), lambda env: DroppedFeedback(env, 0.25)])
def test_a_spec_makes_the_wrapper_again(wrapper: Any):
    env = wrapper(gym.make("PickLLM-v0", observation="none", disable_env_checker=True))
    again = gym.make(gym.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    for each in (env, again):
        each.reset(seed=1)
    assert [env.step(0)[4]["feedback"] for _ in range(6)] == [again.step(0)[4]["feedback"] for _ in range(6)]


@pytest.mark.parametrize(
    ("delay", "said"),
    [
        *((delay, "whole number") for delay in (-1, 1.5, True, "geometric", ())),
        (("normal", 1), "Unknown distribution of delays 'normal'"),
        (("geometric", 0), "one probability above 0, got"),
        (("uniform", 3, 1), "the lower first, got"),
        (("uniform", 1), "two whole numbers"),
    ],
)
def test_what_is_no_delay_is_refused(delay: Any, said: str):
    with pytest.raises(ValueError, match=said):
        DelayedFeedback(plain(), delay)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), True, "half"])
def test_what_is_no_rate_is_refused(rate: Any):
    with pytest.raises(ValueError, match="rate must be a probability"):
        DroppedFeedback(plain(), rate)


def test_a_vector_reward_is_refused_in_one_line(tmp_path):
    import llm_routing_env  # noqa: F401  registers the ids
    from llm_routing_env.logs import LogSteps, VectorLogSteps

    options = {"table": random_table(), "observation": "none"}
    delayed = DelayedFeedback(gym.make("PickLLM-MO-v0", **options), 2)
    delayed.reset(seed=0)
    with pytest.raises(ValueError, match="rewards of one number, got one of 3: weigh it first"):
        delayed.step(0)
    several = "LogSteps logs one reward a step, .* PickLLM-MO-v0 has three"
    with pytest.raises(ValueError, match=several):
        LogSteps(gym.make("PickLLM-MO-v0", **options), tmp_path / "one.parquet")
    with pytest.raises(ValueError, match=several):
        VectorLogSteps(gym.make_vec("PickLLM-MO-v0", num_envs=2, **options), tmp_path / "two.parquet")


def test_several_asks_are_not_logged_as_one(tmp_path):
    from llm_routing_env.envs import PickLLMMultiEnv
    from llm_routing_env.logs import LogSteps

    with pytest.raises(ValueError, match="logs one LLM for each query, and PickLLM-Multi-v0 may ask several"):
        LogSteps(PickLLMMultiEnv(random_table(), observation="none"), tmp_path / "log.parquet")


def test_one_wrapper_in_another_keeps_back_what_arrives_from_within():
    expected, _, asked = run(plain())
    whole = [{"step": step, "action": step % 4, "reward": reward} for step, reward in enumerate(expected)]
    for both in (
        lambda: DelayedFeedback(DroppedFeedback(plain(), 0.0), 3),
        lambda: DroppedFeedback(DelayedFeedback(plain(), 3), 0.0),
    ):
        rewards, arrived, same = run(both())
        assert (set(rewards), same) == ({0.0}, asked)
        assert arrived == [[]] * 3 + [[told] for told in whole[:17]]
    assert run(DelayedFeedback(DelayedFeedback(plain(), 1), 2))[1] == [[]] * 3 + [[told] for told in whole[:17]]


def test_what_is_lost_does_not_hang_on_how_late_it_is():
    # Independent: of 60 x 20 rewards half are lost, whatever their delay; the same draws twice would lose all or none.
    delayed = DelayedFeedback(DroppedFeedback(plain(), 0.5), ("uniform", 0, 1))
    delays = [
        step - told["step"] for seed in range(60) for step, each in enumerate(run(delayed, seed)[1]) for told in each
    ]
    assert abs(len(delays) / 1200 - 0.5) < 0.06
    assert abs(np.mean(delays) - 0.5) < 0.08
