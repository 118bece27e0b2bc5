"""`pickllm assign` as it is typed, and a budget per query in `pickllm compare`."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llm_routing_env.cli import app, main

RUNNER = CliRunner()


def run(*arguments: object) -> str:
    done = RUNNER.invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})
    assert done.exit_code == 0, done.output
    return done.stdout


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_router_from_a_file_assigns_as_the_agent_does(tmp_path: Path):
    router, files = tmp_path / "router.npz", [tmp_path / name for name in ("a.csv", "b.csv", "front.csv")]
    run("train", "hull_router", "--reward", "additive", "--out", router)
    said = json.loads(run("assign", "nano", "--router", router, "--budget-usd", 0.05, "--out", files[0], "--json"))
    shown = run("assign", "--agent", "hull_router", "--budget-usd", 0.05, "--out", files[1], "--front", files[2])
    assert "1,800 queries of nano, for a budget of $0.05" in shown
    assert said["expected"]["cost_usd"] <= 0.05
    for path in files[:2]:
        assigned = rows(path)
        assert len(assigned) == said["queries"] == 1800
        assert list(assigned[0]) == ["query_id", "llm", "accuracy", "cost_usd"]
        assert sum(float(row["cost_usd"]) for row in assigned) == pytest.approx(said["expected"]["cost_usd"], rel=1e-4)
    costs = [float(row["cost_usd"]) for row in rows(files[2])]
    assert costs == sorted(costs)
    assert len(costs) == said["front"]["assignments"]


def test_its_help_names_the_choices_and_an_example():
    said = run("assign", "--help")
    for word in ("hull or search", "mean or recorded", "hull_router", "llm_bandit", "pickllm assign nano --budget-usd"):
        assert word in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--budget-usd", "0.0001"], "budget_usd must be at least 0.003074, what 1800 queries cost"),
        (["--budget-usd", "1", "--agent", "knn_router"], "Unknown agent that predicts accuracies 'knn_router'"),
        ([], "Give what the queries may cost, --budget-usd"),
        (
            ["--budget-usd", "1", "--router", "r.npz", "--agent", "hull_router"],
            "--router brings an agent as it learned",
        ),
        (["--budget-usd", "1", "--front", "no/such/front.csv"], "there is no folder no/such"),
        (["--budget-usd", "1", "--front", "OUT"], "--out and --front are both"),
    ],
)
def test_bad_input_is_one_line(arguments, problem, tmp_path, monkeypatch, capsys):
    given = [str(tmp_path / "a.csv") if word == "OUT" else word for word in arguments]
    monkeypatch.setattr("sys.argv", ["pickllm", "assign", "nano", "--out", str(tmp_path / "a.csv"), *given])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert problem in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "a.csv").exists()


def test_what_is_there_is_not_written_over(tmp_path, monkeypatch, capsys):
    (tmp_path / "a.csv").write_text("mine")
    monkeypatch.setattr("sys.argv", ["pickllm", "assign", "--budget-usd", "1", "--out", str(tmp_path / "a.csv")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert (tmp_path / "a.csv").read_text() == "mine"


def test_a_comparison_says_what_was_spent_against_the_budget(tmp_path: Path):
    few = ("--sessions", 2, "--length", 20, "--context", "math")
    said = run("compare", "--agents", "cheapest", "--max-usd-per-query", 3e-5, *few, "--out", tmp_path / "out")
    assert "Spent against the budget of $3e-05 per query" in said
    assert "reward at equal spend: that of the mixture" in said
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Spent against the budget of $3e-05 per query" in page
    document = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert document["run"]["max_usd_per_query"] == 3e-5
    again = json.loads(run("compare", "--from", tmp_path / "out" / "results.json", "--json"))
    assert again["spending"] == document["spending"]


def test_a_budget_that_no_llm_keeps_to_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["pickllm", "compare", "--agents", "cheapest", "--max-usd-per-query", "1e-9"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert "must be at least 1.70" in capsys.readouterr().err
