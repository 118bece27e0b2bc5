"""Where LLMs come and go and change in the course of a session: references, random baselines, regrets, commitments."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import queries, records, sparse_table

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation import compare
from llm_routing_env.evaluation.comparison import run_comparison
from llm_routing_env.evaluation.drawn import draw_sessions
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.inspection import inspect_table
from llm_routing_env.evaluation.judging import POOLED, RANDOM
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, ORACLE, choose_references
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

LENGTH = 20
ALLOWED = ("learning_automaton", "epsilon_greedy_q", "ucb1", "explore_then_commit", "pursuit", "per_context_q")


def ranked_table() -> OutcomeTable:
    """Two contexts of thirty queries; LLMs earn 1, 0.5 and 0 by accuracy, whatever the query."""
    asked = queries(30, ("art", "chess"))
    right = np.broadcast_to(np.array([1.0, 0.5, 0.0])[:, None], (len(asked), 3, 1))
    rows = records(asked, ["good", "fair", "poor"], right, 1e-5, 0.1)
    return OutcomeTable.from_records(asked, ["good", "fair", "poor"], rows, {})


TABLE = ranked_table()


def outage(cells: Cells) -> list[tuple[int, Cells]]:
    """From step 5 of 20 the good LLM cannot be asked."""
    available = cells.available.copy()
    available[:, 0] = False
    return [(0, cells), (5, replace(cells, available=available))]


def swap(cells: Cells) -> list[tuple[int, Cells]]:
    """From step 5 of 20 the good LLM is the poor one, and the other way round."""
    return [(0, cells), (5, replace(cells, accuracy=cells.accuracy[:, ::-1]))]


def accuracy_only(**options: object) -> RoutingProblem:
    return RoutingProblem(TABLE, observation="none", weights=(1, 0, 0), **options)


def test_a_reference_asks_the_next_best_while_its_llm_cannot_be_asked():
    problem = accuracy_only(scenario=outage)
    actions = choose_references(problem, problem.contexts, dict.fromkeys(problem.contexts, LENGTH)).actions
    for name in ("always good", BEST_FIXED, CHOSEN_FIXED, ORACLE):
        assert actions[name][: TABLE.n_queries].tolist() == [0] * TABLE.n_queries, name
        assert actions[name][TABLE.n_queries :].tolist() == [1] * TABLE.n_queries, name
    assert set(actions["always poor"]) == {2}


def test_no_single_llm_is_better_than_the_best_one_in_hindsight_whatever_stands_in_for_it():
    for seed in range(10):
        result = compare(["random"], n_sessions=2, length=10, table=sparse_table(seed, missing_share=0.4))
        means = {name: found[POOLED]["reward"]["mean"] for name, found in result.metrics.items()}
        assert means[BEST_FIXED] == max(mean for name, mean in means.items() if name.startswith("always "))
        assert means[ORACLE] == max(means.values())


def test_the_best_fixed_llm_is_that_of_all_phases_by_their_length():
    problem = accuracy_only(scenario=swap)
    assert problem.course.shares(LENGTH).tolist() == [0.25, 0.75]
    # Over a session the first LLM earns 0.25, the second 0.5, the third 0.75; in the first 8 steps 0.625, 0.5, 0.375.
    assert choose_references(problem, problem.contexts, dict.fromkeys(problem.contexts, LENGTH)).best_fixed == "poor"
    assert choose_references(problem, problem.contexts, dict.fromkeys(problem.contexts, 8)).best_fixed == "good"
    assert problem.truth.optimal_actions[[1, TABLE.n_queries + 1]].tolist() == [0, 2]


def run(scenario: object, agents: tuple[str, ...]):
    options = {"table": TABLE, "weights": (1, 0, 0), "scenario": scenario}
    return compare(list(agents), n_sessions=12, length=LENGTH, **options)


def test_exact_means_count_phases_by_their_length():
    result = run(outage, ("random", "cheapest"))
    means = {name: found[POOLED]["reward"]["mean"] for name, found in result.metrics.items()}
    # A quarter of the steps earns (1 + 0.5 + 0) / 3 at random, the others (0.5 + 0) / 2.
    assert result.judge.judge(RANDOM)[POOLED]["reward"]["mean"] == pytest.approx(0.25 * 0.5 + 0.75 * 0.25)
    assert means[ORACLE] == means[BEST_FIXED] == pytest.approx(0.25 * 1 + 0.75 * 0.5)
    assert means["always poor"] == pytest.approx(0.0)
    assert result.metrics[ORACLE][POOLED]["regret"]["mean"] == 0.0
    assert result.routing["always good"][POOLED] == pytest.approx({"good": 0.25, "fair": 0.75, "poor": 0.0})


def test_what_frozen_rows_get_on_the_sessions_is_what_they_get_exactly():
    result = run(swap, ("random", "ucb1"))
    for name in ("always good", ORACLE):
        exact, on_sessions = (result.judge._mean(name, "reward", "art", POOLED, flag).mean for flag in (False, True))
        assert on_sessions == pytest.approx(exact)


def test_agents_are_told_whom_they_can_ask_and_follow():
    result = run(outage, ALLOWED)
    assert not result.failures
    for name in ALLOWED:
        for log in result.logs[name].values():
            assert (log.actions[:, :5] == 0).any(), name
            assert not (log.actions[:, 5:] == 0).any(), name
            assert (log.measures["regret"] >= 0).all(), name


def test_the_steps_that_are_logged_are_those_that_were_routed():
    result = run(outage, ("random",))
    drawn = draw_sessions(result.problem, result.seeds["art"], context="art", length=LENGTH)
    np.testing.assert_array_equal(result.drawn["art"].rows, drawn.rows)
    log = result.logs["random"]["art"]
    np.testing.assert_array_equal(
        log.rewards, result.problem.reward_table.rewards[drawn.rows, log.actions, drawn.repeats]
    )


def test_an_algorithm_that_knows_no_masks_is_refused_before_anything_runs():
    pytest.importorskip("stable_baselines3")
    with pytest.raises(ValueError, match="ppo \\(online\\) asks any LLM at any time, but here some cannot be asked"):
        run(outage, ("ppo@online",))


def of_two_lengths() -> OutcomeTable:
    """Six test queries of art and forty of chess; the first LLM earns 1, the second 0."""
    asked = QuerySet(
        Query(f"{context}-{i}", context, "test", f"{context} {i}?", ("yes",))
        for context, n in (("art", 6), ("chess", 40))
        for i in range(n)
    )
    right = np.broadcast_to(np.array([1.0, 0.0])[:, None], (len(asked), 2, 1))
    return OutcomeTable.from_records(asked, ["good", "poor"], records(asked, ["good", "poor"], right, 1e-5, 0.1), {})


def test_each_context_counts_phases_by_its_own_length():
    """Good and poor change places at step 6: after art has ended, and for 34 of chess's 40 steps."""

    def late_swap(cells: Cells) -> list[tuple[int, Cells]]:
        return [(0, cells), (6, replace(cells, accuracy=cells.accuracy[:, ::-1]))]

    options = {"table": of_two_lengths(), "weights": (1, 0, 0), "scenario": late_swap}
    result = compare(["random"], n_sessions=2, length=40, **options)
    means = {name: found[POOLED]["reward"]["mean"] for name, found in result.metrics.items()}
    assert means["always good"] == pytest.approx((1 + 6 / 40) / 2)
    assert means["always poor"] == pytest.approx((0 + 34 / 40) / 2)
    assert result.references.best_fixed == "good"
    assert means[BEST_FIXED] == means["always good"]


def test_commitments_are_judged_by_the_whole_session_and_beliefs_by_its_end():
    def swap_at(step: int) -> Any:
        return lambda cells: [(0, cells), (step, replace(cells, accuracy=cells.accuracy[:, ::-1]))]

    for step, wrong, near in ((1, 0.0, 1.0), (LENGTH - 1, 0.0, 0.0)):
        options = {"table": TABLE, "weights": (1, 0, 0), "scenario": swap_at(step)}
        result = compare(["explore_then_commit"], n_sessions=8, length=LENGTH, **options)
        found = result.metrics["explore_then_commit"][POOLED]
        assert found["committed"]["mean"] == 1.0
        assert (found["wrong_commit"]["mean"], found["within_0.02_of_best"]["mean"]) == pytest.approx((wrong, near))


def test_an_llm_without_outcomes_in_a_context_spoils_no_measure():
    asked = queries(30, ("art", "chess"))
    right = np.broadcast_to(np.array([1.0, 0.5, 0.0])[:, None], (len(asked), 3, 1))
    rows = records(asked, ["good", "fair", "poor"], right, 1e-5, 0.1)
    rows = [row for row in rows if not (row["llm"] == "good" and row["query_id"].startswith("art"))]
    table = OutcomeTable.from_records(asked, ["good", "fair", "poor"], rows, {})
    result = compare(["explore_then_commit"], n_sessions=8, length=LENGTH, table=table, weights=(1, 0, 0))
    found = result.metrics["explore_then_commit"]
    for context in ("art", "chess", POOLED):
        assert found[context]["wrong_commit"]["mean"] == 0.0
        assert found[context]["within_0.02_of_best"]["mean"] == pytest.approx(1.0)
    assert all(np.isfinite(found[POOLED][name]["mean"]) for name in ("reward", "regret", "reward_minus_best_fixed"))


def test_blocks_of_another_world_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The scenario's name is the same, what it does is not."""
    monkeypatch.syspath_prepend(tmp_path)
    setting = Setting({"table": TABLE, "weights": (1, 0, 0), "scenario": "my_world:scenario"}, LENGTH)
    means = []
    for factor in (1, 0):
        (tmp_path / "my_world.py").write_text(
            "from dataclasses import replace\n"
            f"def scenario(cells):\n    return [(0, replace(cells, accuracy=cells.accuracy * {factor}))]\n"
        )
        sys.modules.pop("my_world", None)
        importlib.invalidate_caches()
        result = run_comparison(contestants(["ucb1"], {}), setting, 2, blocks_folder=tmp_path / "blocks")
        means.append(result.metrics["ucb1"][POOLED]["reward"]["mean"])
    assert means[0] > 0.5
    assert means[1] == 0.0


def test_live_sessions_on_a_table_with_holes_are_judged_by_what_is_known():
    sparse = sparse_table(missing_share=0.4)
    live = RoutingProblem(sparse, observation="none", is_live=True)
    recorded = RoutingProblem(sparse, observation="none")
    assert not live.is_masked
    assert np.isfinite(live.truth.regrets[live.queries_of("art")]).all()
    actions = choose_references(live, live.contexts).actions
    for name, expected in choose_references(recorded, recorded.contexts).actions.items():
        np.testing.assert_array_equal(actions[name], expected, name)


def test_a_table_is_inspected_as_it_was_recorded():
    with pytest.raises(ValueError, match="leave the scenario out"):
        inspect_table(accuracy_only(scenario=swap))
