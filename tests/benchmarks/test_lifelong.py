"""The benchmark of lifelong routers runs on any table, its page says what it found; peers are tuned as everybody is."""

import json

import pytest
from tables import queries, records

from llm_routing_env.agents import agent_class
from llm_routing_env.tables.table import OutcomeTable


@pytest.fixture
def lifelong(script, tmp_path, monkeypatch):
    """Return the script with few routers; a table of two LLMs, of which one is always right in one context."""
    module = script("lifelong")
    monkeypatch.setattr(module, "BLOCKS", tmp_path / "blocks")
    monkeypatch.setattr(module, "SEE_A_VECTOR", ("outcome_linear",))
    monkeypatch.setattr(module, "SEE_NO_MORE", ("ucb1",))
    monkeypatch.setattr(module, "FRESH", ("outcome_linear", "random"))
    monkeypatch.setattr(script("readme_tables"), "RESULTS", tmp_path)
    monkeypatch.setattr(script("lifelong_cases"), "RESULTS", tmp_path)
    for name in ("lifelong_cases", "lifelong_page"):
        monkeypatch.setattr(script(name), "TABLES", ("small", "absent"))
    asked = queries()
    right = [[[float(query.context == "art")], [float(query.context != "art")]] for query in asked]
    rows = records(asked, ["painter", "other"], right, 1e-3, 0.1)
    OutcomeTable.from_records(asked, ["painter", "other"], rows, {}).write(tmp_path / "small.parquet")
    return module


@pytest.mark.pages
def test_it_measures_every_protocol_and_draws(lifelong, script, tmp_path):
    lifelong.main(table="small", data=tmp_path, sessions=10, docs=tmp_path, again=False, seed=0)
    found = json.loads((tmp_path / "lifelong_small.json").read_text())["result"]
    assert found.keys() == {"pickllm", "additive"}
    case = found["additive"]
    assert {row["protocol"] for row in case["rows"]} == {"lifelong", "online", "logged", "pretrained"}
    assert case["queries_before_judged"] == 30
    assert case["queries_lived"][-1] == 30 + 3 * 20
    rows = {row["row"]: row for row in case["rows"]}
    # One LLM is right in two of three contexts, the other in the third: a right answer more is worth 1.
    best, known = (case["references"][name]["reward"]["mean"] for name in ("always other", "per-context best"))
    assert known - best == pytest.approx(1 / 3, abs=1e-4)
    # At random half of the answers are right, a sixth less than the best LLM's: half the gap below it.
    at_random = rows["random online"]
    assert at_random["metrics"]["oracle_gap_closed"]["mean"] == pytest.approx(-0.5, abs=0.25)
    assert not at_random["is_clear_gain"]
    assert "reward" not in at_random
    assert len(rows["ucb1 lives"]["reward"]) == len(case["best_fixed"]) == len(case["queries_lived"])
    assert rows["outcome_linear on context"]["parameters"] == agent_class("outcome_linear").hyperparameters()
    assert (tmp_path / "lifetime_small.png").stat().st_size > 1000
    assert (tmp_path / "sample_size.png").stat().st_size > 1000

    page = script("lifelong_page")
    assert "| per-context best |  | 100 | 100 |" in page.lifetimes()
    assert "| `random` | online | -" in page.lifetimes()
    assert "Not run: absent." in page.lifetimes()
    assert "| per-context best minus best fixed | " in page.sample_size()
    assert "`outcome_linear` gets ahead of the best single LLM where it is worth 0." in page.pays()


def test_an_interval_that_is_not_known_is_none(script):
    references = {"best fixed LLM (hindsight)": 0.4, "per-query oracle": 0.6}
    found = {"references": {name: {"reward": {"mean": mean}} for name, mean in references.items()}}
    metrics = {"oracle_gap_closed": {"mean": None, "low": None, "high": None}, "reward": {"mean": 0.35}}
    found["rows"] = [{"row": "some", "metrics": metrics}]
    gap = script("lifelong_cases").Case("tiny", "additive", found).gap("some")
    assert (gap["mean"], gap["low"]) == (pytest.approx(-0.25), None)  # 0.05 below, of 0.2


def test_peers_have_the_defaults_that_were_chosen(script):
    chosen = json.loads((script("readme_tables").RESULTS / "peer_defaults_nano.json").read_text())["result"]
    grids = script("peer_defaults").GRIDS
    assert chosen.keys() == grids.keys() == script("peer_defaults").TEXTBOOK.keys()
    for name, found in chosen.items():
        actual = getattr(script("peer_agents"), name).hyperparameters()
        assert {parameter: actual[parameter] for parameter in found["chosen"]} == found["chosen"]
        assert found["chosen"].keys() == grids[name].keys()


def test_speed_is_of_every_lifetime(script, tmp_path):
    script("lifelong_speed").main(lifetimes=3, queries=2, runs=1)
    found = json.loads((tmp_path / "lifelong_speed_nano.json").read_text())["result"]
    assert found["lifetimes"] == 3
    assert [row["observation"] for row in found["rows"]] == ["context", "context+embedding32"]
    assert all(row["pulls_per_s"] > 0 for row in found["rows"])
