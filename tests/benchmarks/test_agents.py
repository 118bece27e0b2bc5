"""The scripts behind the numbers about agents: what they compare with, what they print, what they leave out."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from tables import records

from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable


def two_contexts(folder: Path) -> Path:
    """Over queries `wordy` costs most, over contexts `dear`: one context has nine queries, the other three."""
    sizes = {"large": 9, "small": 3}
    asked = QuerySet(
        Query(f"{context}-{i}", context, "test" if i % 3 else "train", f"{context} {i}", ("yes",))
        for context, n in sizes.items()
        for i in range(n)
    )
    is_large = np.array([query.context == "large" for query in asked])
    cost = np.where(is_large[:, None], [[3e-3, 1e-3]], [[1e-3, 9e-3]])[:, :, None]
    right = np.ones((12, 2, 1))
    path = folder / "sizes.parquet"
    rows = records(asked, ["wordy", "dear"], right, cost, 0.1)
    OutcomeTable.from_records(asked, ["wordy", "dear"], rows, {"notes": ["Invented."]}).write(path)
    return path


def test_the_dearest_llm_is_that_of_the_contexts_that_are_judged(script, tmp_path):
    script("headline").main(table=str(two_contexts(tmp_path)), sessions=2, length=2)
    (path,) = tmp_path.glob("headline_*.json")
    rows = json.loads(path.read_text())["result"]
    assert {row["dearest"] for row in rows} == {"always dear"}
    assert {row["reward_form"] for row in rows} == {"pickllm", "additive"}


def test_a_page_says_what_ran_and_what_was_not_measured(script, tmp_path, monkeypatch):
    baselines = script("baselines")
    monkeypatch.setattr(baselines, "BLOCKS", tmp_path / "blocks")
    path = two_contexts(tmp_path)
    given = {"table": path.stem, "data": tmp_path, "sessions": 2, "source": "nowhere", "seed": 0, "engine": "local"}
    baselines.main(agents="random,ucb1,zero_router,linucb", **given)
    page = (tmp_path / "baselines_sizes.md").read_text()
    assert "queries of each: large 6 of 6, small 2 of 2" in page
    assert "Invented." in page
    assert "| `ucb1` | none |" in page
    assert "textbook ucb1" not in page
    assert "zero_router" not in page  # it does not maximise what rows are ranked by
    assert "`linucb`, `textbook linucb` cannot take part: The table sizes.parquet has no embeddings beside it" in page
    assert str(tmp_path) not in page
    document = json.loads((tmp_path / "baselines_sizes.json").read_text())["result"]["pickllm"]
    assert [row["name"] for row in document["agents"]] == ["random", "ucb1", "zero_router", "textbook ucb1"]


def test_a_score_is_judged_over_all_answers_and_within_a_query(script):
    right = np.array([[1, 0], [0, 1], [1, 1], [0, 1]])
    scores = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.3], [0.8, 0.4]])
    found = script("without_labels").separated(right, scores, np.array([0, 0, 1, 1]), ("one", "two"))
    # Above the three wrong answers, .1, .5 and .8: .9 is above 3, .5 above 1 and level with 1, .2, .3 and .4 above 1.
    assert found["auc"] == pytest.approx(7.5 / 15)
    assert found["auc_by_context"] == pytest.approx({"one": 3.5 / 4, "two": 0})
    assert found["right_over_wrong"] == pytest.approx((1 + 0.5 + 0) / 3)  # the third query has no wrong answer
    assert found["best_of_all"] == pytest.approx((1 + 0.5 + 1 + 0) / 4)


@pytest.mark.pages
def test_what_a_command_says_is_kept_without_single_contexts_and_pairs(script, tmp_path):
    script("compared").main(["nano_budget"])
    document = json.loads((tmp_path / "compare_nano_budget.json").read_text())
    assert document["compared_by"].startswith("pickllm compare --max-usd-per-query 3e-5")
    result = document["result"]
    assert {row["context"] for row in result["agents"]} == {"all"}
    assert {row["name"] for row in result["agents"]} < set(result["spending"]["rows"])
    assert "pairs" not in result


def test_a_figures_title_claims_nothing_that_its_lines_may_contradict(script):
    source = Path(script("convergence").__file__).read_text()
    assert "more often" not in source
    assert "Commitments, and wrong ones, by step size" in source


@pytest.mark.pages
def test_the_page_of_scenarios_has_every_preset_and_what_committing_costs(script, tmp_path, monkeypatch):
    scenarios = script("scenarios")
    monkeypatch.setattr(scenarios, "BLOCKS", tmp_path / "blocks")
    monkeypatch.setattr(scenarios, "ONLINE", [name for name in scenarios.DRAWN if " " not in name])
    steady = [{"event": "price", "llm": "dearest", "step": 0, "factor": 0.1}]  # it is so from the start
    presets = {name: scenarios.PRESETS[name] for name in ("outage", "new_kid")} | {"steady": steady}
    monkeypatch.setattr(scenarios, "PRESETS", presets)
    monkeypatch.setattr(sys.modules["llm_routing_env.scenarios.read"], "PRESETS", presets)
    scenarios.main(table="nano", sessions=2, engine="local", docs=tmp_path / "docs", seed=0)
    page = (tmp_path / "docs" / "scenarios-results.md").read_text()
    assert "hurt at step 80 | back | after | hurt at step 140" in page
    assert "| `learning_automaton never commits` |" in page
    assert {path.name for path in (tmp_path / "docs").glob("*.png")} == {f"scenario_{name}.png" for name in presets}
    (path,) = tmp_path.glob("scenarios_*.json")
    found = json.loads(path.read_text())["result"]
    assert found.keys() == {"pickllm", "additive"}
    for of_form in found.values():
        assert of_form.keys() == {scenarios.NONE, *presets}
        assert of_form["outage"]["recovery"]["agents"]["ucb1"]["effects"][0]["hurt"]["mean"] >= 0
        assert "recovery" not in of_form["steady"]


def test_everything_runs_each_table_once_and_others_only_where_they_lie(script, tmp_path):
    everything = script("everything")
    alone = [" ".join(job) for job in everything.jobs(None)]
    assert len(set(alone)) == len(alone)
    assert "cascades9" not in " ".join(alone)
    assert {"baselines --table everyday", "lifelong --table nano", "compared"} < set(alone)
    assert "lifelong --table everyday" not in alone
    for table in ("cascades9", "superhard17"):
        (tmp_path / f"{table}.parquet").touch()
    more = {" ".join(job) for job in everything.jobs(tmp_path)}
    assert more - set(alone) == {
        f"baselines --table cascades9 --data {tmp_path}",
        f"lifelong --table cascades9 --data {tmp_path}",
        f"lifelong --table superhard17 --data {tmp_path}",
        *(f"{name} --table {tmp_path}/cascades9.parquet" for name in ("convergence", "headline", "onboarding")),
    }


def test_everything_that_a_page_reads_is_made(script):
    everything = script("everything")
    read = re.findall(r'\bread\("(\w+)"', "".join(path.read_text() for path in everything.HERE.glob("*.py")))
    made = {*everything.TIMED, *(job[0] for job in everything.jobs(None))}
    assert {*read} - made == {"compare", "examples", "published"}  # of `compared`, and what its docstring leaves out
    assert all((everything.HERE / f"{name}.py").is_file() for name in made)


def test_a_script_that_fails_is_said_and_the_others_run(script, tmp_path, monkeypatch, capfd):
    everything = script("everything")
    (tmp_path / "fails.py").write_text("raise SystemExit('no table')")
    (tmp_path / "works.py").write_text("print('done')")
    monkeypatch.setattr(everything, "HERE", tmp_path)
    monkeypatch.setattr(everything, "TIMED", ("fails",))
    monkeypatch.setattr(everything, "jobs", lambda data: [("works", "--table", "/somewhere/x.parquet")])
    with pytest.raises(SystemExit, match="1 of 2 failed"):
        everything.main()
    said = capfd.readouterr().out
    assert "fails: 0.0 minutes, FAILED" in said
    assert "works --table x.parquet: 0.0 minutes\n" in said
