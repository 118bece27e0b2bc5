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
