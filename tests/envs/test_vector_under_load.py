"""Latency under load: by hand, against the reward's own formula, and nothing else changed."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import assert_equal
from tables import queries, random_table, records

from llm_routing_env.envs import PickLLMVectorEnv
from llm_routing_env.tables.table import OutcomeTable

LLMS = ("llm-0", "llm-1")
# llm-0 takes 1.5 times as long with two in flight and 2.5 times with four; llm-1 serves in turn, at half speed.
CURVES = {
    "llm-0": {"concurrency": [1, 2, 4], "latency_s": [0.1, 0.15, 0.25]},
    "llm-1": {"concurrency": [1, 2], "latency_s": [1.0, 3.0]},
}


def by_hand(*, failed: bool = False) -> OutcomeTable:
    """Return a table on which llm-0 is right, cheap and takes 0.1 s, llm-1 wrong, twice as dear and takes 0.2 s."""
    asked = queries(6)
    rows = records(asked, LLMS, [[1.0], [0.0]], [[1e-4], [2e-4]], [[0.1], [0.2]])
    for row in rows:
        row["measure_bias"] = 0.5
        if failed and row["llm"] == "llm-0":
            row["error"] = "HTTP 500: dead"
    return OutcomeTable.from_records(asked, LLMS, rows, {"load_curve": {"llms": CURVES}})


def stepped(actions: list[int], table: OutcomeTable, **arguments: Any) -> tuple[Any, ...]:
    arguments = {"observation": "none", "info": "full", "latency_under_load": True, **arguments}
    env = PickLLMVectorEnv(len(actions), 2, table=table, **arguments)
    env.reset(seed=0)
    return env.step(np.array(actions))


def additive(accuracy: float, cost: float, latency_ms: float) -> float:
    return accuracy - 0.5 * cost - 0.5 * math.log10(latency_ms)


def test_four_sessions_by_hand():
    _, rewards, _, _, info = stepped([0, 0, 0, 1], by_hand(), reward="additive")
    # Three on llm-0: halfway between 1.5 and 2.5 times 100 ms. One on llm-1: as recorded.
    np.testing.assert_allclose(info["latency_s"], [0.2, 0.2, 0.2, 0.2], rtol=1e-12)
    np.testing.assert_allclose(rewards, [additive(1, 0.5, 200)] * 3 + [additive(0, 1, 200)], rtol=1e-12)
    np.testing.assert_allclose(info["reward_terms"]["latency"], [0.5 * math.log10(200)] * 4, rtol=1e-12)


def test_the_papers_ratio_by_hand():
    _, rewards, _, _, info = stepped([0, 1, 1, 0], by_hand())
    # Two on llm-0: 150 ms. Two on llm-1: 600 ms, which makes its negative ratio smaller.
    np.testing.assert_allclose(info["latency_s"], [0.15, 0.6, 0.6, 0.15], rtol=1e-12)
    fast, slow = (1 - 0.25) / (0.5 * math.log10(150)), -0.5 / (0.5 * math.log10(600))
    np.testing.assert_allclose(rewards, [fast, slow, slow, fast], rtol=1e-12)


def test_beyond_the_measured_load_the_reward_stays_within_its_bounds():
    # Four on llm-1: 3 and twice 2 more, 7 times 200 ms. The bounds allow for 200 ms.
    _, rewards, _, _, info = stepped([1, 1, 1, 1], by_hand(), reward="additive")
    np.testing.assert_allclose(info["latency_s"], [1.4] * 4, rtol=1e-12)
    np.testing.assert_allclose(rewards, [additive(0, 1, 200)] * 4, rtol=1e-12)


def test_further_measures_count_as_ever():
    _, rewards, *_ = stepped([0, 0], by_hand(), reward="additive", extra_terms={"bias": 0.3})
    np.testing.assert_allclose(rewards, [additive(1, 0.5, 150) - 0.15] * 2, rtol=1e-12)


def test_a_failed_call_stays_as_it_was_recorded():
    table = by_hand(failed=True)
    loaded, plain = (stepped([0, 0, 1, 1], table, latency_under_load=on) for on in (True, False))
    np.testing.assert_array_equal(loaded[1][:2], plain[1][:2])
    np.testing.assert_array_equal(loaded[4]["latency_s"][:2], [0.1, 0.1])
    np.testing.assert_allclose(loaded[4]["latency_s"][2:], [0.6, 0.6], rtol=1e-12)


def test_without_a_weight_on_latency_rewards_stay():
    weights = (1.0, 0.5, 0.0)
    loaded, plain = (stepped([0, 0, 1], by_hand(), weights=weights, latency_under_load=on) for on in (True, False))
    np.testing.assert_array_equal(loaded[1], plain[1])
    np.testing.assert_allclose(loaded[4]["latency_s"], [0.15, 0.15, 0.2], rtol=1e-12)


def test_sessions_that_start_anew_put_no_load_on_anything():
    table = by_hand()
    art, chess = (table.select(name, "test") for name in ("art", "chess"))
    short = table.resplit(np.sort(np.append(art[:1], chess)), np.zeros(1 + len(chess), dtype=bool))
    env = PickLLMVectorEnv(3, 9, "NEXT_STEP", short, observation="none", latency_under_load=True)
    env.reset(seed=0, options={"context": ["art", "chess", "chess"]})
    *_, truncated, info = env.step(np.zeros(3, dtype=int))
    assert truncated.tolist() == [True, False, False]
    np.testing.assert_allclose(info["latency_s"], [0.2] * 3, rtol=1e-12)  # three of them
    _, rewards, _, _, info = env.step(np.zeros(3, dtype=int))
    assert info["_latency_s"].tolist() == [False, True, True]
    assert info["latency_s"][0] == 0.0
    np.testing.assert_allclose(info["latency_s"][1:], [0.15] * 2, rtol=1e-12)  # two
    assert rewards[0] == 0.0
    *_, info = env.step(np.zeros(3, dtype=int))
    np.testing.assert_allclose(info["latency_s"], [0.2] * 3, rtol=1e-12)


def test_a_session_that_ends_has_its_loaded_latency_in_the_final_info():
    env = PickLLMVectorEnv(2, 1, "SAME_STEP", by_hand(), observation="none", latency_under_load=True)
    env.reset(seed=0)
    *_, info = env.step(np.array([1, 1]))
    np.testing.assert_allclose(info["final_info"]["latency_s"], [0.6, 0.6], rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    mode=st.sampled_from(["SAME_STEP", "NEXT_STEP", "DISABLED"]),
    reward=st.sampled_from(["pickllm", "additive"]),
    info=st.sampled_from(["full", "numbers", "none"]),
    n=st.integers(1, 4),
)
def test_alone_on_their_llms_sessions_are_those_of_the_plain_environment(
    seed: int, mode: str, reward: str, info: str, n: int
):
    arguments: dict[str, Any] = {"table": LOADED, "observation": "context", "reward": reward, "info": info}
    plain, loaded = (PickLLMVectorEnv(n, 3, mode, latency_under_load=on, **arguments) for on in (False, True))
    assert_equal(loaded.reset(seed=seed), plain.reset(seed=seed))
    rng = np.random.default_rng(seed)
    for _ in range(3 if mode == "DISABLED" else 9):
        actions = rng.permutation(4)[:n]  # no two of the same LLM
        assert_equal(loaded.step(actions), plain.step(actions))


@pytest.mark.parametrize("reward", ["pickllm", "additive"])
@pytest.mark.parametrize("mode", ["SAME_STEP", "NEXT_STEP", "DISABLED"])
def test_rewards_follow_from_the_infos_and_nothing_else_changes(mode: str, reward: str):
    n, arguments = 16, {"table": LOADED, "observation": "context", "reward": reward, "info": "full"}
    plain, loaded = (PickLLMVectorEnv(n, 4, mode, latency_under_load=on, **arguments) for on in (False, True))
    for env in (plain, loaded):
        env.reset(seed=3)
    rng = np.random.default_rng(0)
    for _ in range(4 if mode == "DISABLED" else 12):
        actions = rng.integers(4, size=n)
        (seen, rewards, *ends, info), (as_seen, _, *as_ends, as_info) = loaded.step(actions), plain.step(actions)
        np.testing.assert_equal((seen, ends), (as_seen, as_ends))
        assert info.keys() == as_info.keys()
        info, as_info = (of.get("final_info", of) for of in (info, as_info))
        routed = info.get("_latency_s", np.zeros(n, dtype=bool))
        if not routed.any():
            continue
        follows = loaded.problem.reward(info["accuracy"], info["cost_usd"], info["latency_s"])[routed]
        np.testing.assert_allclose(rewards[routed], np.clip(follows, *loaded.problem.reward.bounds), rtol=1e-12)
        terms = loaded.problem.reward.terms(info["accuracy"], info["cost_usd"], info["latency_s"])
        for name, term in terms.items():
            np.testing.assert_allclose(info["reward_terms"][name][routed], term[routed], rtol=1e-12)
        slower = info["latency_s"][routed] / as_info["latency_s"][routed]
        np.testing.assert_allclose(slower, np.bincount(actions[routed], minlength=4)[actions[routed]], rtol=1e-12)
        for key in info.keys() - {"latency_s", "reward_terms"}:
            np.testing.assert_equal(info[key], as_info[key])


def test_the_same_seed_gives_the_same_steps():
    def steps(seed: int) -> list[Any]:
        env = PickLLMVectorEnv(8, 3, table=LOADED, observation="none", latency_under_load=True)
        env.reset(seed=seed)
        rng = np.random.default_rng(0)
        return [env.step(rng.integers(4, size=8)) for _ in range(7)]

    first = steps(1)
    for step, again in zip(first, steps(1), strict=True):
        assert_equal(step, again)
    assert first[0][1].tolist() != steps(2)[0][1].tolist()


def test_it_is_an_option_of_make_vec_that_needs_a_curve():
    env = gym.make_vec("PickLLM-v0", num_envs=2, table=by_hand(), observation="none", latency_under_load=True)
    env.reset(seed=0)
    np.testing.assert_allclose(env.step(np.array([1, 1]))[4]["latency_s"], [0.6, 0.6], rtol=1e-12)
    with pytest.raises(ValueError, match=r"no load curve: serve its pool and measure one with `pickllm load-curve"):
        PickLLMVectorEnv(2, table=random_table(), observation="none", latency_under_load=True)


def in_turn(table: OutcomeTable) -> OutcomeTable:
    """Return the table with LLMs that serve one request after the other."""
    curve = {"concurrency": [1, 2, 8], "latency_s": [1.0, 2.0, 8.0]}
    return table.with_metadata({"load_curve": {"llms": dict.fromkeys(table.llm_names, curve)}})


LOADED = in_turn(random_table(per_context=9))
