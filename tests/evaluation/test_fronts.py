"""Comparisons by preference: what is reported of routers on a table by hand, and who may not take part."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import pickllm
from tables import queries, records
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.evaluation.contestants import Training
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.fronts import ONE_LLM, PER_CONTEXT, PER_QUERY, Fronts, compare_fronts
from llm_routing_env.evaluation.pareto import expected_utility, hypervolume
from llm_routing_env.evaluation.preferences import policies_by_preference
from llm_routing_env.evaluation.setting import OBJECTIVES, Setting
from llm_routing_env.evaluation.trade_offs import TradeOffs
from llm_routing_env.tables.table import OutcomeTable

LLMS = ("good", "cheap", "dear")
CONTEXTS = ("art", "chess")


def recorded() -> list[dict[str, Any]]:
    """Return rows where "good" is right in art, "cheap" in chess, "dear" everywhere, at four times the cost."""
    asked = queries(12, CONTEXTS)
    in_art = np.array([query.context == "art" for query in asked])
    accuracy = np.stack([in_art, ~in_art, np.ones(len(asked))], axis=1)[..., None]
    cost_usd, latency_s = np.array([1e-3, 1e-3, 4e-3])[:, None], np.array([0.02, 0.02, 0.1])[:, None]
    return records(asked, LLMS, accuracy, cost_usd, latency_s)


TABLE = OutcomeTable.from_records(queries(12, CONTEXTS), LLMS, recorded(), {"pool": {"name": "hand"}})


def compared(*agents: str, seeds: int = 2, parameters: Any = None, **options: Any) -> Fronts:
    setting = Setting({"table": TABLE, "cost_scale_usd": 4e-3, **options}, env=OBJECTIVES)
    given = {name: {"observation": "context"} for name in agents} if parameters is None else parameters
    return compare_fronts(contestants(agents, given), setting, training_seeds=seeds)


def test_routers_that_know_the_context_reach_what_it_tells():
    result = compared("llm_bandit", "linear_router")
    assert list(result.rows) == ["llm_bandit", "linear_router", ONE_LLM, PER_CONTEXT, PER_QUERY]
    best = result.rows[PER_CONTEXT]
    # Cheap and right: one point, (1, -.25, -log10(20)), which dominates all others.
    np.testing.assert_allclose(best.points, np.tile([1, -0.25, -np.log10(20)], (36, 1)))
    assert best.n_on_front == 1
    assert best.hypervolume["mean"] == pytest.approx(1 * 0.75 * (2 - np.log10(20)))
    for name in ("llm_bandit", "linear_router", PER_QUERY):
        assert result.rows[name].utility["mean"] == pytest.approx(best.utility["mean"])
    assert result.rows[ONE_LLM].gain == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert result.rows["llm_bandit"].gain["low"] > 0


def test_numbers_are_those_of_the_points():
    result = compared("zero_router", parameters={})
    row, found = result.rows[ONE_LLM], TradeOffs(result.problem)
    utility = np.mean((row.points * result.preferences).sum(axis=1))
    assert row.utility["mean"] == pytest.approx(utility)
    # Chosen on the other split, where the same LLMs are as good: what hindsight gives.
    assert utility == pytest.approx(expected_utility(found.single_llms(), result.preferences))
    assert row.hypervolume["mean"] == pytest.approx(hypervolume(row.points, result.reference))
    assert row.hypervolume["low"] <= row.hypervolume["mean"] <= row.hypervolume["high"]


@pytest.mark.parametrize("agent", ["llm_bandit", "barp"])
def test_an_llm_that_fails_fast_and_free_is_asked_by_no_preference(agent: str):
    rows = [
        row | ({"error": "401", "response": None, "cost_usd": 0.0, "latency_s": 0.001} if row["llm"] == "dear" else {})
        for row in recorded()
    ]
    table = OutcomeTable.from_records(queries(12, CONTEXTS), LLMS, rows, {"pool": {"name": "failing"}})
    setting = Setting({"table": table, "cost_scale_usd": 4e-3}, env=OBJECTIVES)
    (router,) = contestants([agent], {agent: {"observation": "context"}})
    preferences, training = np.array([[0.2, 0.4, 0.4], [0, 1, 0], [0, 0, 1]]), Training(0, 1)
    for policy in policies_by_preference(router, setting, preferences, training):
        assert policy.sum(axis=0).argmax() != LLMS.index("dear")


def test_an_agent_that_sees_preferences_is_fitted_once(monkeypatch: pytest.MonkeyPatch):
    from llm_routing_env.agents.parts.pretrained import PretrainedAgent

    fitted, fit = [], PretrainedAgent.fit
    monkeypatch.setattr(PretrainedAgent, "fit", lambda self, table: fitted.append(type(self)) or fit(self, table))
    compared("llm_bandit", "linear_router", seeds=1)
    assert [kind.__name__ for kind in fitted].count("LLMBandit") == 1
    assert [kind.__name__ for kind in fitted].count("LinearRouter") == 36


def test_the_same_seed_gives_the_same_numbers():
    first, again = (compared("llm_bandit").document() for _ in range(2))
    assert first == again
    assert json.loads(json.dumps(first)) == first


@pytest.mark.parametrize(
    ("agent", "parameters", "message"),
    [
        ("ucb1", {}, "ucb1 was made for PickLLM-v0: compare it there"),
        ("cascade", {}, "cascade was made for PickLLM-Multi-v0: compare it there"),
        ("knn_router@logged", {}, "was made for PickLLM-v0: compare it there"),
        ("llm_bandit", {"preference": 0.5, "observation": "context"}, "preference must be None where observations end"),
        (
            "llm_bandit",
            {"rnk": 3, "observation": "context"},
            "Unknown hyperparameter of llm_bandit 'rnk'. Did you mean 'rank'",
        ),
    ],
)
def test_who_cannot_take_part_is_refused(agent: str, parameters: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        compared(agent, parameters={agent: parameters} if parameters else {})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"--training-seeds": "0"}, "training seeds must be 1 or more and a whole number, got 0."),
        ({"--seed": "-1"}, "seed must be 0 or more and a whole number, got -1."),
    ],
)
def test_counts_and_seeds_that_cannot_be_are_refused(given: dict[str, str], message: str):
    done = pickllm("compare", "--env", OBJECTIVES, *next(iter(given.items())))
    assert (done.returncode, done.stderr) == (2, f"pickllm: {message}\n")


def test_what_an_agent_raises_is_kept(monkeypatch: pytest.MonkeyPatch):
    from llm_routing_env.agents.linear_router import LinearRouter

    def broken(self: Any, table: Any) -> None:
        raise ArithmeticError("no fit")

    monkeypatch.setattr(LinearRouter, "_fit", broken)
    result = compared("linear_router", "llm_bandit")
    assert result.failures == {"linear_router": "ArithmeticError: no fit"}
    assert "llm_bandit" in result.rows


def test_an_agent_that_fails_beside_others_is_said_and_the_code_is_1():
    more = ["--param", "zero_router.max_cost_usd=1e-9", "--training-seeds", "1", "-q"]
    done = pickllm("compare", "--env", OBJECTIVES, "--agents", "zero_router,linear_router", *more)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("pickllm: zero_router failed: ValueError: ZeroRouter: max_cost_usd must be ")
    assert done.stderr.count("\n") == 1


def test_tables_figures_and_report_are_written(tmp_path: Path):
    TABLE.write(tmp_path / "hand.parquet")
    told = ["--table", str(tmp_path / "hand.parquet"), "--param", "llm_bandit.observation=context"]
    out = ["--training-seeds", "1", "--out", str(tmp_path / "out")]
    run = CliRunner().invoke(app, ["compare", "--env", OBJECTIVES, "--agents", "llm_bandit", *told, *out])
    assert run.exit_code == 0, run.output
    assert "policies on the front" in run.output
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert files == {"results.json", "results.csv", "front.png", "front_values.png", "report.html"}
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["agents"][0]["n_on_front"] == 1
    page = (tmp_path / "out" / "report.html").read_text()
    assert "llm_bandit" in page
    assert "<svg" in page
    again = CliRunner().invoke(app, ["compare", "--from", str(tmp_path / "out" / "results.json"), "--json"])
    assert json.loads(again.output)["agents"] == document["agents"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sessions", "3"], "leave --sessions out"),
        (["--scenario", "outage"], "leave --scenario out"),
        (["--max-usd", "3"], "leave --max-usd out"),
        (["--max-usd-per-query", "1"], "leave --max-usd-per-query out"),
        (["--reward", "pickllm"], "--reward additive, or leave it out"),
    ],
)
def test_options_of_other_comparisons_are_refused(options: list[str], message: str):
    run = CliRunner().invoke(app, ["compare", "--env", OBJECTIVES, *options])
    assert run.exit_code != 0
    assert message in str(run.exception)
