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
    # Carried: outcome_linear, ucb1 and the paper's two. Afresh: those two, and outcome_linear; random is no router.
    assert " of 4 (small, ratio), " in page.pays()
    assert "- do so elsewhere (no case): 0 of 0\n- start each session afresh: " in page.pays()
    assert " of 3 (small, ratio), " in page.pays()
    assert "the gain is clear in 2 of 2 cases: small, ratio; small, additive." in page.pays()


REFERENCES = ("best fixed LLM (hindsight)", "per-context best", "per-query oracle")


def interval(mean, half=0.01):
    return {"mean": mean, "low": mean - half, "high": mean + half}


def made_case(script, name, worth, rows):
    """Return a case in which the oracle earns 1 more than the best fixed LLM.

    Args:
        script: Imports scripts.
        name: Its table and form.
        worth: What knowing the context earns, give or take 0.01.
        rows: Of each router its agent, protocol, share of the gap, and whether its gain is clear.
    """
    gains = dict(zip(REFERENCES, (0.0, worth, 1.0), strict=True))
    references = {
        row: {"reward": {"mean": gain}, "reward_minus_best_fixed": interval(gain), "oracle_gap_closed": interval(gain)}
        for row, gain in gains.items()
    }
    found = [
        {
            "row": row,
            "agent": row.split()[0],
            "protocol": protocol,
            "is_clear_gain": is_clear,
            "ahead_after": None,
            "routing": {"x": 1.0},
            "metrics": {
                "reward": {"mean": gain},
                "reward_minus_best_fixed": interval(gain),
                "oracle_gap_closed": interval(gain),
            },
        }
        for row, (protocol, gain, is_clear) in rows.items()
    ]
    facts = {"llms": 2, "contexts": 3, "queries_before_judged": 400, "best_fixed_llm": "x"}
    return script("lifelong_cases").Case(*name, {"references": references, "rows": found, **facts})


def test_the_page_begins_with_counts_of_clear_gains(script, monkeypatch):
    page = script("lifelong_page")
    ours, fresh = "outcome_linear on context", ("online", 0.0, False)
    gains = {
        ours: ("lifelong", 0.5, True),
        "b lives": ("lifelong", 0.1, False),
        "random online": fresh,
        "c online": fresh,
    }
    of = [
        made_case(script, ("one", "pickllm"), 0.3, gains | {"c online": ("online", 0.2, True)}),
        made_case(script, ("two", "pickllm"), 0.3, gains | {ours: ("lifelong", 0.1, False)}),
        made_case(script, ("three", "additive"), 0.005, gains | {ours: ("lifelong", 0.1, False)}),
    ]
    monkeypatch.setattr(page, "cases", lambda: iter(of))
    assert page.pays().splitlines() == [
        "How many routers earn clearly more than the best single LLM, of those that",
        "",
        "- carry what they learned from session to session, where knowing the context is worth something (its interval "
        "is above 0): 1 of 2 (one, ratio), 0 of 2 (two, ratio)",
        "- do so elsewhere (three, additive): 0 of 2",
        "- start each session afresh: 1 of 1 (one, ratio); in all other cases 0 of 2",
        "",
        "Of `outcome_linear on context`, which carries what it learned, the gain is clear in 1 of 3 cases: one, ratio.",
    ]


def verdict_of(script, monkeypatch, table, best, ours):
    """Return what is said of a table's figure where the best router and ours close these shares of the gap."""
    reached = script("lifelong_reached")
    rows = {"best lives": ("lifelong", best, False), "outcome_linear on context": ("lifelong", ours, False)}
    monkeypatch.setattr(reached, "cases", lambda: iter([made_case(script, (table, "additive"), 0.0, rows)]))
    speeds = [
        {"agent": "a", "observation": sees, "pulls_per_s": n} for sees, n in (("few", 200_000), ("many", 199_999))
    ]
    monkeypatch.setattr(reached, "read", lambda name: {"result": {"lifetimes": 7, "rows": speeds}})
    lines = [line.strip("| ").split(" | ") for line in reached.reached().splitlines()[2:]]
    assert [(line[0], line[-1]) for line in lines[-2:]] == [
        ("nano, `a on few`, 7 lifetimes at once", "reached"),
        ("nano, `a on many`, 7 lifetimes at once", "missed"),
    ]
    (line,) = lines[:-2]
    return line[-1]


def test_a_figure_is_reached_by_both_of_its_halves(script, monkeypatch):
    assert verdict_of(script, monkeypatch, "mmlu_pro", 0.01, 0.001) == "reached"
    assert verdict_of(script, monkeypatch, "mmlu_pro", 0.001, -0.01) == "only by `best`"
    assert verdict_of(script, monkeypatch, "mmlu_pro", -0.015, -0.018) == "missed"  # of -2 %, but not above 0
    assert verdict_of(script, monkeypatch, "cascades9", 0.02, 0.001) == "reached"  # intervals from -1 % and more
    assert verdict_of(script, monkeypatch, "cascades9", -0.0001, -0.0002) == "missed"
    assert verdict_of(script, monkeypatch, "nano", 0.8, 0.79999) == "only by `best`"


def test_no_figure_is_reached_by_rounding(script):
    """production3's -2.0037 % of the gap."""
    kept = script("results_file").rounded({"mean": -0.020037}, script("lifelong").DIGITS)
    assert kept["mean"] < -0.02


def test_readme_says_of_online_routing_what_its_page_says(script):
    readme = (script("readme_tables").ROOT / "README.md").read_text(encoding="utf-8")
    assert f"<!-- pays:start -->\n{script('lifelong_page').pays()}<!-- pays:end -->" in readme


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
