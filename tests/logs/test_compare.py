"""Logs that comparisons write, on recorded outcomes and live."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_server import CountingServer, counting_server
from tables import random_table

from llm_routing_env.envs.pickllm import PickLLMEnv
from llm_routing_env.evaluation.comparison import compare
from llm_routing_env.evaluation.step_logs import write_steps
from llm_routing_env.logs import LogSteps, read_log
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table()
EVENTS = [{"event": "price", "llm": "llm-0", "step": 3, "factor": 10}, {"event": "new_llm", "llm": "llm-3", "step": 5}]


def test_every_agent_that_tells_has_propensities_and_outcomes_follow_the_phase(tmp_path: Path):
    result = compare(
        ["random", "epsilon_greedy_q", "thompson_beta", "linucb", "round_robin"],
        parameters={"linucb": {"observation": "context"}},
        n_sessions=4,
        length=8,
        table=TABLE,
        scenario=EVENTS,
        propensities=True,
    )
    assert not result.failures
    write_steps(result, tmp_path / "steps.parquet")
    log = read_log(tmp_path / "steps.parquet")
    log.require_propensities()
    assert len(log) == 5 * 3 * 4 * 8
    assert log.phase.tolist() == [0, 0, 0, 1, 1, 2, 2, 2] * 60
    assert log.mask is not None
    assert (log.mask[:, 3] == (log.step >= 5)).all()
    queries = log.require_table(TABLE)
    costs = TABLE.cost_usd[queries, log.action] * np.where((log.action == 0) & (log.phase > 0), 10, 1)[:, None]
    np.testing.assert_allclose(np.abs(costs / log.cost_usd[:, None] - 1).min(axis=1), 0, atol=1e-12)
    form = result.problem.reward
    np.testing.assert_allclose(log.reward, form(log.accuracy, log.cost_usd, log.latency_s))
    np.testing.assert_allclose(log.reward, form.combine(log.terms))
    uniform = log.for_agent("random")
    np.testing.assert_allclose(uniform.propensity, np.where(uniform.step >= 5, 1 / 4, 1 / 3))
    assert (log.extra["regret"] >= 0).all()
    assert log.metadata["scenario"] == EVENTS
    assert log.metadata["agents"]["linucb"]["observation"] == "context"


def test_a_comparison_logs_what_a_loop_of_one_s_own_logs_and_agents_were_told(tmp_path: Path):
    events = [
        {"event": "noisy_scorer", "rate": 0.5, "step": 1, "until": 4},
        {"event": "outage", "llm": "llm-1", "step": 2, "until": 3, "hidden": True},
    ]
    options: dict[str, Any] = {"table": TABLE, "scenario": events}
    result = compare(["round_robin"], n_sessions=1, length=6, propensities=True, **options)
    write_steps(result, tmp_path / "steps.parquet")
    ours = read_log(tmp_path / "steps.parquet")
    context = next(iter(result.seeds))
    env = LogSteps(PickLLMEnv(observation="none", info="numbers", context=context, **options), tmp_path / "own.parquet")
    env.reset(seed=result.seeds[context][0])
    for action in ours.action[:6].tolist():
        env.step(action)
    env.close()
    own = read_log(tmp_path / "own.parquet")
    assert own.phase.tolist() == [0, 1, 2, 3, 0, 0]  # at last all is as before
    for name in ("phase", "action", "reward", "accuracy", "cost_usd", "failed"):
        np.testing.assert_array_equal(getattr(ours, name)[:6], getattr(own, name))


def test_agents_face_the_same_queries_in_the_sessions_of_one_number(tmp_path: Path):
    result = compare(["random", "round_robin"], n_sessions=3, length=5, table=TABLE, propensities=True)
    write_steps(result, tmp_path / "steps.parquet")
    log = read_log(tmp_path / "steps.parquet")
    first, second = log.for_agent("random"), log.for_agent("round_robin")
    assert first.session.tolist() == second.session.tolist() == np.repeat(np.arange(9), 5).tolist()
    assert first.query.tolist() == second.query.tolist()
    assert [first.contexts[index] for index in first.context[::15]] == list(result.seeds)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingServer]:
    monkeypatch.chdir(tmp_path)
    with counting_server() as running:
        llm = f'base_url = "{running.base_url}"\ninput_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n'
        llms = "".join(f'[[llm]]\nname = "{name}"\n{llm}' for name in TABLE.llm_names)
        Path("pool.toml").write_text(f'name = "counted"\n{llms}')
        TABLE.write("random.parquet")
        yield running


def test_a_live_comparison_logs_what_was_answered(server: CountingServer):
    server.status = lambda number, llm, prompt: 400 if llm == "llm-2" else 200
    result = compare(
        ["random"],
        n_sessions=2,
        length=6,
        table="random.parquet",
        backend="vllm",
        pool="pool.toml",
        propensities=True,
        context="art",
        max_requests=100,
    )
    write_steps(result, Path("steps.parquet"))
    log = read_log("steps.parquet")
    log.require_propensities()
    assert (log.failed == (log.action == 2)).all()
    assert log.failed.any()
    np.testing.assert_array_equal(log.prompt_tokens, np.where(log.failed, 0, 10))
    np.testing.assert_array_equal(log.completion_tokens, np.where(log.failed, 0, 2))
    assert (log.reward[log.failed] == result.problem.reward.bounds[0]).all()
    assert {"env": "PickLLMLive-v0", "backend": "live", "pool": "counted"}.items() <= log.metadata.items()
    assert log.require_table(OutcomeTable.read("random.parquet")).shape == (12,)
