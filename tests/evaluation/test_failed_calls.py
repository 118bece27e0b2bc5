"""Failed calls count, by agent and LLM: recorded, live, and read from blocks and journals."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty_server import FaultyServer, faulty_server
from tables import queries, records

from llm_routing_env.evaluation.block_store import journals_of
from llm_routing_env.evaluation.comparison import compare, run_comparison
from llm_routing_env.evaluation.entries import contestants
from llm_routing_env.evaluation.failed_calls import Calls, one_after_another, side_by_side
from llm_routing_env.evaluation.live_access import live_access
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.setting import Setting
from llm_routing_env.report.words import failed_calls
from llm_routing_env.tables.table import OutcomeTable

LLMS = ("good", "401")
N_SESSIONS, LENGTH, N_CONTEXTS = 2, 8, 3
HALF = N_SESSIONS * LENGTH // 2  # calls of each LLM in a context, where two take turns


def table(error: str | None = None) -> OutcomeTable:
    """Return a table of three contexts with 8 queries to judge each; every call of the second LLM failed, if any."""
    asked = queries(12)
    rows = records(asked, LLMS, [[[1.0], [0.0]]], 1e-5, 0.1)
    for row in rows:
        if error and row["llm"] == "401":
            row |= {"error": f"{error} at {row['query_id']}", "response": None}
    return OutcomeTable.from_records(asked, LLMS, rows, {})


def told(result: Comparison, name: str, context: str = "all") -> dict[str, Any]:
    """Return what results.json says of an agent's calls."""
    (row,) = [row for row in result.document()["agents"] if (row["name"], row["context"]) == (name, context)]
    return row["calls"]


def test_calls_add_up_and_the_first_error_is_of_the_earliest_step_or_of_the_first_agent():
    groups = [{"x": Calls(3)}, {"x": Calls(3, 1, "left alone", 5)}, {"x": Calls(4, 2, "HTTP 401", 2)}]
    assert side_by_side(groups) == {"x": Calls(10, 3, "HTTP 401", 2)}
    assert one_after_another(groups) == {"x": Calls(10, 3, "left alone", 5)}
    assert one_after_another([]) == {}


def test_an_llm_is_down_where_nine_calls_of_ten_fail():
    assert [calls.is_down for calls in (Calls(), Calls(9), Calls(10, 8), Calls(10, 9), Calls(1, 1))] == [
        *(False, False, False, True, True)
    ]


def test_recorded_failures_are_counted_for_learners_routers_and_references():
    agents = ["round_robin", "zero_router"]
    result = compare(agents, n_sessions=N_SESSIONS, length=LENGTH, table=table("HTTP 500"))
    good, failed = told(result, "round_robin", "art").values()
    assert good == {"calls": HALF, "failed": 0, "cut": 0, "first_error": None}
    assert (failed["calls"], failed["failed"]) == (HALF, HALF)
    assert failed["first_error"].startswith("HTTP 500 at art-")
    pooled = told(result, "round_robin")["401"]
    assert (pooled["calls"], pooled["failed"]) == (N_CONTEXTS * HALF, N_CONTEXTS * HALF)
    assert sum(of_llm["calls"] for of_llm in told(result, "zero_router").values()) == N_CONTEXTS * 2 * HALF
    always = result.document()["references"]["always 401"]["art"]["calls"]
    assert {llm: (found["calls"], found["failed"]) for llm, found in always.items()} == {
        "good": (0, 0),
        "401": (2 * HALF, 2 * HALF),
    }
    (line,) = failed_calls(compare(agents[:1], n_sessions=N_SESSIONS, length=LENGTH, table=table("HTTP 500")))
    assert line.startswith("Failed calls: '401' 24 of 24 (first: HTTP 500 at art-")


def test_calls_that_fail_in_a_scenarios_outage_say_so():
    outage = [{"event": "outage", "llm": "good", "step": 0, "hidden": True}]
    given: dict[str, Any] = {"n_sessions": N_SESSIONS, "length": LENGTH, "scenario": outage}
    result = compare(["round_robin"], table=table("HTTP 500"), **given)
    good, failed = told(result, "round_robin", "art").values()
    assert good["first_error"] == "the scenario's outage: the LLM does not answer"
    assert failed["first_error"].startswith("HTTP 500 at art-")


def test_without_failures_nothing_is_said():
    result = compare(["round_robin"], n_sessions=N_SESSIONS, length=LENGTH, table=table())
    assert result.document()["failed_calls"] == {}
    assert failed_calls(result) == []


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


def setting(server: FaultyServer, folder: Path) -> Setting:
    """Return what a comparison faces of which one LLM refuses every request."""
    pool, recorded = folder / "pool.toml", folder / "table.parquet"
    price = "input_price_usd_per_mtok = 1\noutput_price_usd_per_mtok = 2\n"
    llms = "".join(f'[[llm]]\nname = "{name}"\nbase_url = "{server.base_url}"\n{price}' for name in LLMS)
    pool.write_text(f'name = "half"\nmax_retries = 0\n{llms}')
    if not recorded.exists():
        table().write(recorded)
    return Setting({"table": str(recorded)}, LENGTH, live=live_access("vllm", str(pool), "local"))


def run(setting: Setting, folder: Path | None = None) -> Comparison:
    return run_comparison(contestants(["round_robin", "random"], {}), setting, N_SESSIONS, blocks_folder=folder)


def test_an_llm_that_refuses_every_live_call_is_counted_and_named(server: FaultyServer, tmp_path: Path):
    result = run(setting(server, tmp_path))
    calls = told(result, "round_robin")
    assert calls["good"] == {"calls": N_CONTEXTS * HALF, "failed": 0, "cut": 0, "first_error": None}
    assert calls["401"] == {"calls": N_CONTEXTS * HALF, "failed": N_CONTEXTS * HALF, "cut": 0, "first_error": ANYTHING}
    document, n_random = result.document(), told(result, "random")["401"]["calls"]
    n_failed = N_CONTEXTS * HALF + n_random
    assert document["failed_calls"] == {
        "401": {"calls": n_failed, "failed": n_failed, "cut": 0, "first_error": ANYTHING}
    }
    (line,) = failed_calls(result)
    assert line.startswith(f"Failed calls: '401' {n_failed} of {n_failed} (first: HTTP 401: ")
    why = "no verdict: nearly every call of 401 failed"
    assert result.verdicts == {"round_robin": why, "random": why}
    assert result.against("random", "round_robin") == why
    assert not any(map(result.is_clear_gain, result.agents))


class _Anything:
    """Equals the error of a refused request, whatever else it says."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and other.startswith("HTTP 401: ")


ANYTHING = _Anything()


@pytest.mark.parametrize("kept", ["blocks", "journals"])
def test_what_comes_from_blocks_and_journals_is_counted_too(server: FaultyServer, tmp_path: Path, kept: str):
    setting_here, blocks = setting(server, tmp_path), tmp_path / "blocks"
    first = run(setting_here, blocks).document()
    n_good, n_asked = server.asked.count("good"), len(server.asked)
    if kept == "journals":
        for path in blocks.iterdir():
            path.unlink()
    else:
        for path in journals_of(blocks).iterdir():
            path.unlink()
    again = run(setting_here, blocks).document()
    assert server.asked.count("good") == n_good
    if kept == "blocks":  # a journal has no request that was never sent, as to an LLM that is down
        assert len(server.asked) == n_asked
    assert again["failed_calls"] == first["failed_calls"]
    assert counts(again) == counts(first)


def counts(document: dict[str, Any]) -> list[list[tuple[int, int]]]:
    """Return the calls and the failed calls of every row and LLM."""
    return [[(llm["calls"], llm["failed"]) for llm in row["calls"].values()] for row in document["agents"]]


def test_live_answers_that_were_cut_are_counted_and_said(server: FaultyServer, tmp_path: Path):
    here = setting(server, tmp_path)
    pool = tmp_path / "pool.toml"
    pool.write_text(pool.read_text().replace('name = "401"', 'name = "401"\nserved_name = "cut"'))
    result = run(here)
    n_cut = told(result, "round_robin")["401"]["cut"]
    assert n_cut == told(result, "round_robin")["401"]["calls"] == N_CONTEXTS * HALF
    assert told(result, "round_robin")["good"]["cut"] == 0
    n_all = n_cut + told(result, "random")["401"]["calls"]
    assert failed_calls(result) == [f"Cut at max_tokens: '401' {n_all} of {n_all} answers, scored as they are"]


def test_a_learner_of_stable_baselines3_has_its_failed_calls_too(server: FaultyServer, tmp_path: Path):
    pytest.importorskip("stable_baselines3")
    here = setting(server, tmp_path)
    features = {"a2c@online": {"observation": "features"}}
    result = run_comparison(contestants(["a2c@online"], features), here, N_SESSIONS)
    calls = told(result, "a2c (online)")
    assert calls["good"]["failed"] == 0
    assert calls["good"]["calls"] + calls["401"]["calls"] == N_CONTEXTS * 2 * HALF
    assert calls["401"]["failed"] == calls["401"]["calls"] > 0
    assert calls["401"]["first_error"] == ANYTHING
