"""The benchmark of off-policy estimates, on a table small enough to wait for."""

import json

from tables import queries, records

from llm_routing_env.tables.table import OutcomeTable


def test_it_judges_every_estimator_under_every_logging_policy(script, tmp_path, monkeypatch):
    ope = script("ope")
    monkeypatch.setattr(ope, "QUERIES", 30)
    asked, path = queries(), tmp_path / "small.parquet"
    right = [[[float(i % 3 == 0)], [float(i % 2)]] for i in range(len(asked))]
    rows = records(asked, ["dear", "cheap"], right, [[[3e-3], [1e-3]]], 0.1)
    OutcomeTable.from_records(asked, ["dear", "cheap"], rows, {}).write(path)
    ope.main(table=str(path), logs=3, seed=0)
    found = json.loads((tmp_path / "ope_small.json").read_text())["result"]["estimates"]
    assert len(found) == len(ope.LOGGING) * 3 * 2 * len(ope.ESTIMATORS)
    (one,) = (
        row
        for row in found
        if (row["logging"], row["target"], row["measure"], row["estimator"])
        == ("uniform", "uniform", "accuracy", "ips")
    )
    judged = [i for i in range(len(asked)) if asked[i].split == "test"]
    assert one["truth"] == sum(right[i][0][0] + right[i][1][0] for i in judged) / 2 / len(judged)


def test_logs_without_an_interval_are_told_beside_the_coverage_of_the_others(script):
    ope = script("ope")
    error = {"error": 0.1, "width": 1.0, "covers_alone": True, "ess": 2.0, "warned": True, "truth": 1.0}
    rows = [error | {"covers": True}, error | {"covers": False}, *[error | {"covers": None, "width": None}] * 6]
    found = ope.summary(rows)
    assert (found["coverage"], found["without_interval"]) == (0.5, 0.75)
    labels = {"logging": "greedy", "target": "uniform", "measure": "reward", "estimator": "dr"}
    page = script("ope_page").tables({"logs": 8, "steps": 300, "estimates": [labels | found]})
    (row,) = (line for line in page.splitlines() if line.startswith("| greedy"))
    assert row == "| greedy | 2; 100%, 75% | 0.100, 50% (+0.100) |"


def test_estimators_that_lack_intervals_of_other_logs_are_told_as_a_range(script):
    ends = script("ope_page")._ends
    rows = [{"without_interval": share, "estimator": name} for share, name in ((0.3, "dr"), (0.1, "ips"), (0.2, "dm"))]
    assert ends(rows, "without_interval") == "10% to 30%"
    assert ends(rows, "without_interval", but="dr") == "10% to 20%"
    assert ends(rows[:1], "without_interval") == "30%"
