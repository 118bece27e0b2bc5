"""Other people's logs: one row per routed query."""

import math
from pathlib import Path

import numpy as np
import pytest

from llm_routing_env.cli import main
from llm_routing_env.logs import read_log

ROWS = """id,model,score,usd,ms,p,topic,why
q1,a,1,0.002,1000,0.5,art,
q2,b,0,0.004,100,0.25,art,
q1,b,1,0.008,10,0.25,chess,
q3,a,0,0.000,1,0.5,chess,late
"""
COLUMNS = ("--query-column", "id", "--cost-column", "usd", "--latency-column", "ms", "--latency-unit", "ms")
COLUMNS = (*COLUMNS, "--context-column", "topic", "--error-column", "why")


def imported(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str, rows: str = ROWS) -> int:
    (folder / "choices.csv").write_text(rows)
    arguments = [str(folder / "choices.csv"), str(folder / "log.parquet"), *COLUMNS, *options]
    monkeypatch.setattr("sys.argv", ["pickllm", "import-log", *arguments])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_rows_become_steps_and_the_reward_is_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reward = ("--reward", "additive", "--weights", "1,0.5,0.25")
    assert imported(tmp_path, monkeypatch, "--propensity-column", "p", "--agent", "uniform", *reward) == 0
    log = read_log(tmp_path / "log.parquet")
    log.require_propensities()
    assert (log.agents, log.llm_names, log.query_ids) == (("uniform",), ("a", "b"), ("q1", "q2", "q3"))
    assert (log.session.tolist(), log.step.tolist()) == ([0] * 4, [0, 1, 2, 3])
    assert (log.action.tolist(), log.query.tolist(), log.context.tolist()) == ([0, 1, 1, 0], [0, 1, 0, 2], [0, 0, 1, 1])
    assert log.propensity.tolist() == [0.5, 0.25, 0.25, 0.5]
    assert log.latency_s.tolist() == [1.0, 0.1, 0.01, 0.001]
    assert log.failed.tolist() == [False, False, False, True]
    # b costs 0.006 on average, a 0.001; log10 of 1000, 100 and 10 ms; a failed call gets the lower bound.
    expected = [1 - 0.5 / 3 - 0.75, -0.5 * 2 / 3 - 0.5, 1 - 0.5 * 4 / 3 - 0.25]
    np.testing.assert_allclose(log.reward[:3], expected)
    assert log.reward[3] == pytest.approx(-0.5 * 4 / 3 - 0.25 * math.log10(1000))
    np.testing.assert_allclose(log.terms["cost"], [0.5 / 3, 1 / 3, 2 / 3, 0])
    assert log.metadata["table"] is None
    assert log.metadata["source"][0]["file"] == "choices.csv"


def test_one_propensity_for_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert imported(tmp_path, monkeypatch, "--propensity", "0.25") == 0
    assert read_log(tmp_path / "log.parquet").propensity.tolist() == [0.25] * 4
    assert imported(tmp_path, monkeypatch) == 2
    assert "is there already" in capsys.readouterr().err
    (tmp_path / "log.parquet").unlink()
    assert imported(tmp_path, monkeypatch) == 0
    assert np.isnan(read_log(tmp_path / "log.parquet").propensity).all()
    assert "no propensities: this log cannot be weighed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "rows", "line"),
    [
        (("--propensity", "0"), ROWS, "--propensity must be above 0 and at most 1, got 0.0"),
        (("--propensity", "nan"), ROWS, "--propensity must be above 0 and at most 1, got nan"),
        (
            ("--propensity-column", "p"),
            ROWS.replace("0.25,art", "1.25,art"),
            "step 1 of session 0 of logged: expected a prop",
        ),
        (("--propensity-column", "p"), ROWS.replace("0.25,art", "x,art"), "row 1, column 'p': expected a number"),
        (("--propensity-column", "q"), ROWS, "Unknown column 'q'"),
        (("--propensity-column", "p", "--propensity", "1"), ROWS, "leave it out, or --propensity-column"),
        (
            (),
            ROWS.replace("q2,b,0,0.004", "q2,b,0,"),
            "weighs cost (0.5), which 1 of 4 rows lack: leave it out with --weights 1,0,0.5",
        ),
        (("--weights", "0,0,0"), ROWS, "weights must be three finite numbers"),
        (("--reward", "pickle"), ROWS, "Unknown reward 'pickle'"),
    ],
)
def test_what_is_no_log(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    rows: str,
    line: str,
):
    assert imported(tmp_path, monkeypatch, *options, rows=rows) == 2
    assert line in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "log.parquet").exists()


def test_contexts_mean_the_same_in_every_log_whatever_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    header, *rows = ROWS.splitlines()
    for number, lines in enumerate((rows, rows[::-1])):
        assert imported(tmp_path, monkeypatch, rows="\n".join([header, *lines]) + "\n") == 0
        log = read_log(tmp_path / "log.parquet")
        assert log.contexts == ("art", "chess")
        assert log.context.tolist() == ([0, 0, 1, 1] if number == 0 else [1, 1, 0, 0])
        (tmp_path / "log.parquet").unlink()
