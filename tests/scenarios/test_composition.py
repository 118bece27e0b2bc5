"""Events together: each draws for itself, they act in the order of their steps, and what the table lacks is said."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tables import queries, random_table
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.scenarios import Phase, phases_of, read_scenario
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(2026, per_context=400, n_llms=2, n_repeats=2)
OWN = Cells.of(TABLE, TABLE.scorer)
N = TABLE.n_queries


def cells_at(phase: int, *events: dict[str, Any], table: OutcomeTable = TABLE) -> Cells:
    scenario = read_scenario(list(events), table.llm_names, lambda cells: np.zeros(2))
    return phases_of(Cells.of(table, table.scorer), scenario)[phase].cells


def told_at(phase: int, *events: dict[str, Any]) -> np.ndarray:
    told = RoutingProblem(TABLE, observation="none", scenario=list(events)).cells.told
    return np.asarray(told)[phase * N : (phase + 1) * N]


def share(values: Any, expected: float) -> None:
    """Check that so many are true, to four standard deviations of as many draws."""
    assert abs(np.mean(values) - expected) < 4 * np.sqrt(expected * (1 - expected) / np.size(values))


def noisy(step: int, **given: Any) -> dict[str, Any]:
    return {"event": "noisy_scorer", "step": step, "rate": 0.3} | given


def worse(llm: str, step: int) -> dict[str, Any]:
    return {"event": "quality", "llm": llm, "step": step, "probability": 0.5}


def test_two_scorers_that_err_do_not_undo_each_other():
    share(told_at(1, noisy(1), noisy(2)) != OWN.accuracy, 0.3)
    share(told_at(2, noisy(1), noisy(2)) != OWN.accuracy, 0.3 * 0.7 * 2)  # one of the two errs


def test_noise_and_poison_meet_other_answers():
    right = OWN.accuracy[:, 0] == 1
    poison = {"event": "poisoned_feedback", "llm": "llm-0", "step": 1, "rate": 0.3, "value": 1}
    share(told_at(1, noisy(1), poison)[:, 0][right] == 0, 0.3 * 0.7)  # said to be wrong, and not poisoned after that


def test_an_llm_that_gets_worse_twice_keeps_a_quarter_and_two_llms_err_apart():
    right = OWN.accuracy == 1
    twice = cells_at(2, worse("llm-0", 1), worse("llm-0", 2)).accuracy
    share(twice[:, 0][right[:, 0]], 0.25)
    apart = cells_at(1, worse("llm-0", 1), worse("llm-1", 1)).accuracy
    share(apart.sum(axis=1)[right.all(axis=1)] == 0, 0.25)


def test_an_event_draws_the_same_in_every_phase_and_the_first_of_a_scenario_by_its_seed_alone():
    events = [worse("llm-0", 1) | {"seed": 7}, {"event": "latency", "llm": "llm-1", "step": 2, "factor": 2, "over": 9}]
    found = [cells_at(phase, *events).accuracy for phase in (1, 2, 5, 11)]
    for accuracy in found:
        np.testing.assert_array_equal(accuracy, found[0])
    hit = np.random.default_rng(7).random((N, 2)) < 0.5
    np.testing.assert_array_equal(found[0][:, 0], np.where(hit, 0, OWN.accuracy[:, 0]))


def test_what_comes_later_takes_over_in_whatever_order_it_is_listed(tmp_path: Path):
    shifts = [{"event": "context_shift", "context": name, "step": step} for name, step in (("art", 9), ("chess", 3))]
    assert RoutingProblem(TABLE, scenario=shifts, observation="none").course.topics == [{}, {"chess": 1}, {"art": 1}]
    paths = [tmp_path / f"{seed}.parquet" for seed in (1, 2)]
    others = [random_table(seed, per_context=400, n_llms=2, n_repeats=2) for seed in (1, 2)]
    for path, other in zip(paths, others, strict=True):
        other.write(path)
    tables = [{"event": "table", "table": str(path), "step": step} for path, step in zip(paths, (9, 3), strict=True)]
    np.testing.assert_array_equal(cells_at(1, *tables).latency_s, others[1].latency_s)
    np.testing.assert_array_equal(cells_at(2, *tables).latency_s, others[0].latency_s)


def test_another_table_may_have_more_queries(tmp_path: Path):
    TABLE.write(tmp_path / "whole.parquet")
    chosen = TABLE.select(None, "train")[::2]
    part = TABLE.resplit(chosen, np.arange(len(chosen)) % 2 == 0)
    event = {"event": "table", "table": str(tmp_path / "whole.parquet"), "step": 3}
    np.testing.assert_array_equal(cells_at(1, event, table=part).cost_usd, OWN.cost_usd[chosen])


@pytest.mark.parametrize(
    ("kind", "measure", "role"), [("price", "cost_usd", "cheapest"), ("latency", "latency_s", "slowest")]
)
def test_what_a_table_lacks_cannot_change_and_makes_no_llm_the_first(kind: str, measure: str, role: str):
    known = {"accuracy_judge": 0.5, "cost_usd": 1e-5, "latency_s": 0.1, "response": None, "error": None, "repeat": 0}
    rows = [{"query_id": query.query_id, "llm": llm} | known | {measure: None} for query in queries(4) for llm in "ab"]
    table = OutcomeTable.from_records(queries(4), ["a", "b"], rows, {"scorer": "judge"})
    for llm, said in (
        ("b", f"the table has no {measure} of it, so there is nothing to change."),
        (role, f"No LLM is the {role}: the table has no {measure}."),
        ("c", "Unknown LLM of a scenario 'c'."),
    ):
        event = {"event": kind, "llm": llm, "step": 1, "factor": 3}
        with pytest.raises(ValueError, match=re.escape(f"The scenario, event 1 ({kind}): {said}")):
            RoutingProblem(table, observation="none", reward="additive", weights=(1, 0, 0), scenario=[event])


PHASES: Sequence[tuple[Sequence[Phase], str]] = [
    ([Phase(0, OWN), Phase(9, OWN, draw=0, earlier=10)], "up to that many steps earlier by a draw's number"),
    ([Phase(0, OWN), Phase(9, OWN, earlier=3)], "got draw None, earlier 3"),
    ([Phase(0, OWN), Phase(9, OWN, draw=0, earlier=-1)], "got draw 0, earlier -1"),
    ([Phase(0, OWN), Phase(9, OWN), Phase(12, OWN, draw=0, earlier=4)], "could begin before the one from step 9"),
    ([Phase(0, OWN), Phase(9, OWN, draw=0, earlier=4), Phase(12, OWN, draw=0, earlier=3)], "the same earlier"),
    ([Phase(0, OWN, {"art": 0.7, "chess": 0.7})], "shares of contexts, 0 or more and 1 at most in all"),
    ([Phase(0, OWN, {"art": -0.1})], "got topics {'art': -0.1}"),
    ([Phase(0, OWN, ["art"])], "got topics ['art']"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("phases", "said"), PHASES)
def test_phases_of_ones_own_that_cannot_be_are_one_line(phases: Sequence[Phase], said: str):
    with pytest.raises(ValueError, match=r"[Pp]hase") as caught:
        phases_of(OWN, lambda own: phases)
    assert said in str(caught.value)


def test_a_range_may_begin_where_another_phase_does():
    phases = [Phase(0, OWN), Phase(5, OWN, draw=0, earlier=5), Phase(5 + 4, OWN, draw=1, earlier=4)]
    assert phases_of(OWN, lambda own: phases) == phases


@pytest.mark.parametrize("event", [["price"], None, {}, 3])
def test_an_event_that_is_no_name_is_one_line(event: Any):
    with pytest.raises(ValueError, match="event 1: Unknown event"):
        RoutingProblem(TABLE, observation="none", scenario=[{"event": event, "step": 3}])


def test_a_run_is_repeated_whatever_became_of_its_scenarios_file(tmp_path: Path):
    path, run = tmp_path / "drift.toml", ["compare", "--sessions", "2", "--length", "20", "--agents", "random"]
    path.write_text('[[events]]\nevent = "price"\nllm = "dearest"\nstep = 5\nfactor = 30\n')
    done = CliRunner().invoke(app, [*run, "--scenario", str(path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    first = json.loads((tmp_path / "out" / "results.json").read_text())
    path.unlink()
    again = CliRunner().invoke(app, ["compare", "--from", str(tmp_path / "out" / "results.json"), "--json"])
    assert json.loads(again.stdout)["agents"] == first["agents"]
    assert first["scenario"] == str(path)


def test_what_is_fitted_on_knows_nothing_of_a_scenario():
    events = [{"event": "price", "llm": "llm-0", "step": 0, "factor": 3}, worse("llm-0", 0), noisy(0), noisy(2)]
    told, without = (
        RoutingProblem(TABLE, observation="none", scenario=scenario).training_table() for scenario in (events, None)
    )
    for name in ("rewards", "accuracy", "cost_usd", "latency_s"):
        np.testing.assert_array_equal(getattr(told, name), getattr(without, name))


def test_what_no_session_comes_to_does_not_even_move_the_reward_of_calls_that_fail():
    down = {"event": "outage", "llm": "llm-0", "step": 3, "hidden": True}
    dear = {"event": "price", "llm": "llm-1", "step": TABLE.n_queries, "factor": 50}
    without, beyond, within = (
        RoutingProblem(TABLE, observation="none", split="all", scenario=[down, *more])
        for more in ([], [dear], [dear | {"step": TABLE.n_queries - 1}])
    )
    np.testing.assert_array_equal(beyond.reward_table.rewards[: 2 * N], without.reward_table.rewards)
    assert beyond.reward.bounds == without.reward.bounds
    assert within.reward.bounds[0] < without.reward.bounds[0]
    assert within.reward_table.rewards[N, 0].tolist() == [within.reward.bounds[0]] * 2
