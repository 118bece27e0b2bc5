"""Real LLMs on real vLLM: live responses equal the recorded ones, and everything that runs on the table runs live."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from llm_routing_env.backends import ask, make_backend
from llm_routing_env.backends.base import Backend
from llm_routing_env.envs import PickLLMEnv, PickLLMLiveVectorEnv
from llm_routing_env.evaluation import compare
from llm_routing_env.pools.pool import Pool
from llm_routing_env.tables.table import OutcomeTable

pytestmark = pytest.mark.vllm
QUERIES_PER_LLM = 50


def agreement(backend: Backend, capsys: pytest.CaptureFixture[str]) -> tuple[float, list[str]]:
    """Ask 50 recorded queries of each LLM; return the share of equal responses and the others, listed."""
    table = OutcomeTable.read("nano")
    chosen = np.random.default_rng(0).choice(table.n_queries, QUERIES_PER_LLM, replace=False)
    mismatches, ratios = [], []
    for query in (table.queries[int(index)] for index in chosen[:2]):
        for llm in range(table.n_llms):
            ask(backend, query, llm)  # an engine's first answers are slow
    for index in chosen:
        query = table.queries[int(index)]
        for llm, name in enumerate(table.llm_names):
            outcome = ask(backend, query, llm)
            recorded = table.text("response", int(index), llm, 0)
            ratios.append(outcome.latency_s / table.latency_s[index, llm].mean())
            if (outcome.response, outcome.error) != (recorded, None):
                mismatches.append(f"{query.query_id} {name}: {outcome.response!r} ({outcome.error}), not {recorded!r}")
    total = QUERIES_PER_LLM * table.n_llms
    with capsys.disabled():
        print(
            f"\n{type(backend).__name__}: {total - len(mismatches)} of {total} responses as recorded; "
            f"median latency {np.median(ratios):.2f} x recorded",
            *mismatches,
            sep="\n  ",
        )
    return 1 - len(mismatches) / total, mismatches


def test_live_responses_over_http_are_the_recorded_ones(nano_servers: Pool, capsys: pytest.CaptureFixture[str]):
    backend = make_backend("vllm", nano_servers)
    share, mismatches = agreement(backend, capsys)
    backend.close()
    assert share >= 0.98, mismatches


def test_live_responses_in_process_are_the_recorded_ones(nano_inprocess: Pool, capsys: pytest.CaptureFixture[str]):
    share, mismatches = agreement(make_backend("vllm-inprocess", nano_inprocess), capsys)
    assert share >= 0.98, mismatches


def test_a_live_environment_faces_the_same_queries_and_scores_the_same(nano_inprocess: Pool):
    recorded = gym.make("PickLLM-v0", observation="context")
    live = gym.make("PickLLM-v0", backend="vllm-inprocess", observation="context")
    np.testing.assert_array_equal(recorded.reset(seed=3)[0], live.reset(seed=3)[0])
    for step in range(12):
        *_, expected = recorded.step(step % 4)
        _, reward, _, _, info = live.step(step % 4)
        assert info["query_id"] == expected["query_id"]
        assert (info["response"], info["accuracy"]) == (expected["response"], expected["accuracy"])
        assert info["cost_usd"] == pytest.approx(expected["cost_usd"])
        assert info["regret"] == expected["regret"]
        assert info["latency_s"] > 0
        low, high = live.unwrapped.task.reward_bounds
        assert low <= reward <= high
    live.close()


@pytest.mark.parametrize("stream", [False, True])
def test_a_live_vector_gets_what_scalar_environments_get(nano_servers: Pool, stream: bool):
    n_envs, n_steps = 8, 5
    arguments: dict[str, Any] = {"backend": "vllm", "pool": nano_servers, "observation": "context", "info": "full"}
    vector = PickLLMLiveVectorEnv(n_envs, autoreset_mode="DISABLED", stream=stream, **arguments)
    scalars = [PickLLMEnv(**arguments) for _ in range(n_envs)]
    observations, _ = vector.reset(seed=20)
    for row, scalar in enumerate(scalars):
        np.testing.assert_array_equal(scalar.reset(seed=20 + row)[0], observations[row])
    for step in range(n_steps):
        actions = (np.arange(n_envs) + step) % 4
        observations, rewards, _, _, info = vector.step(actions)
        for row, scalar in enumerate(scalars):
            observation, _, _, _, alone = scalar.step(actions[row])
            np.testing.assert_array_equal(observation, observations[row])
            for key in ("query_id", "llm", "response", "accuracy", "completion_tokens", "error", "regret"):
                assert info[key][row] == alone[key], (key, alone["query_id"])
        low, high = vector.task.reward_bounds
        assert ((low <= rewards) & (rewards <= high)).all()
        assert ((info["ttft_s"] > 0) & (info["ttft_s"] <= info["latency_s"])).all()
    for env in (vector, *scalars):
        env.close()


def test_a_live_vector_in_process_gets_the_recorded_responses(nano_inprocess: Pool):
    n_envs = 12
    live = gym.make_vec(
        "PickLLMLive-v0", n_envs, backend="vllm-inprocess", pool="nano", observation="context", info="full"
    )
    recorded = gym.make_vec("PickLLM-v0", n_envs, observation="context", info="full")
    live.reset(seed=5)
    recorded.reset(seed=5)
    equal = []
    for step in range(5):
        actions = (np.arange(n_envs) + step) % 4
        info, expected = live.step(actions)[4], recorded.step(actions)[4]
        assert info["query_id"].tolist() == expected["query_id"].tolist()
        equal += (info["response"] == expected["response"]).tolist()
        assert ((info["ttft_s"] > 0) & (info["ttft_s"] <= info["latency_s"])).all()
    live.close()
    assert np.mean(equal) >= 0.95  # of 60


def test_the_live_id_passes_sb3s_checker(nano_servers: Pool, tmp_path: Path):
    from stable_baselines3.common.env_checker import check_env

    env = PickLLMEnv(backend=make_backend("vllm", nano_servers), observation="context", context="math")
    check_env(env, warn=True)
    env.close()


def test_agents_are_compared_live(nano_servers: Pool, tmp_path: Path):
    pool_file = tmp_path / "served.toml"
    lines = ['name = "nano"']
    for llm in nano_servers.llms:
        fields = replace(llm, serve={}, environment={})
        lines += ["[[llm]]"] + [
            f"{key} = {json.dumps(getattr(fields, key))}"
            for key in ("name", "base_url", "input_price_usd_per_mtok", "output_price_usd_per_mtok", "max_tokens")
        ]
    pool_file.write_text("\n".join(lines))
    result = compare(
        ["random", "epsilon_greedy_q"],
        n_sessions=2,
        length=6,
        backend="vllm",
        pool=str(pool_file),
        context="math",
    )
    rows = result.metrics["random"]["math"]
    assert rows["accuracy"]["mean"] is not None
    assert rows["latency_s"]["mean"] > 0
    assert rows["regret"]["mean"] >= 0
