"""What of accuracy, cost and latency one LLM, one per context and one per query reach, on a table by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from tables import queries, random_table, records, sparse_table
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.pareto import even_preferences, expected_utility
from llm_routing_env.evaluation.trade_offs import TradeOffs, trade_offs
from llm_routing_env.tables.table import OutcomeTable

# Two queries of art and two of chess, all judged. "good" is right in art, "cheap" in chess, "dear" everywhere.
ACCURACY = np.array([[1, 0, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1]])
LLMS = ("good", "cheap", "dear")


def four_queries() -> OutcomeTable:
    asked = queries(2, ("art", "chess"))
    rows = records(asked, LLMS, ACCURACY[..., None], np.array([1e-3, 1e-3, 4e-3])[:, None], np.array([[0.1]]))
    return OutcomeTable.from_records(asked, LLMS, rows, {"pool": {"name": "hand"}})


def problem(table: OutcomeTable | None = None) -> RoutingProblem:
    return RoutingProblem(table or four_queries(), split="all", observation="none", cost_scale_usd=4e-3)


def test_points_by_hand():
    found = TradeOffs(problem())
    np.testing.assert_allclose(found.reference, [0, -1, -2])  # 4e-3 dollars, 100 ms
    np.testing.assert_allclose(found.single_llms(), [[0.5, -0.25, -2], [0.5, -0.25, -2], [1, -1, -2]])
    # By context the cheap two reach accuracy 1 together, whatever the preference; so they do by query.
    preferences = np.array([[0.9, 0.1, 0.0], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(found.per_context(preferences), [[1, -0.25, -2]] * 2)
    np.testing.assert_allclose(found.per_query(preferences), [[1, -0.25, -2]] * 2)


def test_the_document_by_hand():
    document = trade_offs(problem())
    assert document["llms_on_front"] == list(LLMS)  # the first two are equal
    assert document["single_llms"]["front"] == [[0.5, -0.25, -2], [1, -1, -2]]
    assert document["per_context"]["front"] == [[1, -0.25, -2]]
    assert document["single_llms"]["hypervolume"] == 0  # nothing is faster than the slowest
    assert document["n_preferences"] == 144


def test_volume_where_latencies_differ():
    table = four_queries()
    faster = np.array(table.latency_s)
    faster[:, :2] = 0.01  # "dear" stays at 100 ms and adds nothing above it
    rows = records(queries(2, ("art", "chess")), LLMS, ACCURACY[..., None], table.cost_usd, faster)
    made = OutcomeTable.from_records(queries(2, ("art", "chess")), LLMS, rows, {"pool": {"name": "hand"}})
    document = trade_offs(problem(made))
    assert document["single_llms"]["hypervolume"] == pytest.approx(0.5 * 0.75 * 1)
    assert document["per_context"]["hypervolume"] == pytest.approx(1.0 * 0.75 * 1)


def test_contexts_count_equally_and_policies_are_judged_like_choices():
    table = random_table().resplit(np.arange(40), np.zeros(40, dtype=bool))  # 30 of one context, 10 of another
    routed = RoutingProblem(table, observation="none")
    found = TradeOffs(routed)
    chosen = np.eye(4)[:, None].repeat(table.n_queries, axis=1)  # policy i asks LLM i
    np.testing.assert_allclose(found.policies(chosen), found.single_llms(), rtol=1e-12)
    accuracy = np.mean([table.accuracy(table.scorer)[routed.queries_of(c)].mean((0, 2)) for c in routed.contexts], 0)
    np.testing.assert_allclose(found.single_llms()[:, 0], accuracy, rtol=1e-12)
    even = np.full((1, table.n_queries, 4), 0.25)
    np.testing.assert_allclose(found.policies(even)[0], found.single_llms().mean(axis=0), rtol=1e-12)


def test_knowing_more_is_never_worth_less():
    document = trade_offs(problem(random_table()))
    for measure in ("hypervolume", "expected_utility"):
        one, context, query = (document[name][measure] for name in ("single_llms", "per_context", "per_query"))
        assert one <= context < query


def test_per_query_choices_are_the_best_of_each_preference():
    found, preferences = TradeOffs(problem()), even_preferences(4)
    best = expected_utility(found.per_query(preferences), preferences)
    values = np.stack([ACCURACY, np.tile([-0.25, -0.25, -1], (4, 1)), np.full((4, 3), -2.0)], axis=2)
    assert best == pytest.approx(np.mean([(values @ w).max(axis=1).mean() for w in preferences]))


def test_an_llm_without_outcomes_is_left_out():
    document = trade_offs(problem(sparse_table()))
    assert list(document["llms"]) == [f"llm-{n}" for n in range(4)]
    json.dumps(document, allow_nan=False)
    table = sparse_table()
    elsewhere = table.resplit(np.arange(table.n_queries), table.present[:, 3])  # all that it was asked is in train
    document = trade_offs(RoutingProblem(elsewhere, split="test", observation="none"))
    assert list(document["llms"]) == ["llm-0", "llm-1", "llm-2"]
    json.dumps(document, allow_nan=False)


def test_what_cannot_be_judged_says_why():
    scenario = RoutingProblem(random_table(), observation="none", scenario="price_cut")
    assert "leave the scenario out" in trade_offs(scenario)["not_judged"]
    rows = records(queries(2), LLMS, np.array([[1]]), np.array([[np.nan]]), np.array([[0.1]]))
    free = OutcomeTable.from_records(queries(2), LLMS, rows, {"pool": {"name": "hand"}})
    routed = RoutingProblem(free, split="all", observation="none", weights=(1, 0, 0.5))
    assert "need the cost of every outcome, and 18 of 18 have none" in trade_offs(routed)["not_judged"]


def test_the_command_prints_and_draws_them(tmp_path: Path):
    four_queries().write(tmp_path / "hand.parquet")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "hand.parquet"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "one per query (oracle)" in done.output
    assert "single LLMs on the front: good, cheap, dear" in done.output
    assert (tmp_path / "out" / "trade_offs.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_where_everything_is_free_there_is_no_figure(tmp_path: Path):
    rows = records(queries(2), LLMS, np.array([[1]]), np.array([[0.0]]), np.array([[0.1]]))
    OutcomeTable.from_records(queries(2), LLMS, rows, {"pool": {"name": "free"}}).write(tmp_path / "free.parquet")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "free.parquet"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "trade_offs.png" not in done.output
    assert not (tmp_path / "out" / "trade_offs.png").exists()
