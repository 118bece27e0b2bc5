"""The scripts of published tables, on outcomes made by hand: what they compute, what they show, what they refuse."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

LLAMAS = ("llama3.2-1b", "llama3.2-3b", "llama3.1-8b", "llama3.1-70b", "llama3.1-405b")


def run(script: Any, *arguments: Any) -> Any:
    app = typer.Typer()
    app.command()(script.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_row_agrees_within_its_bounds_and_is_none_without(script):
    row = script("recomputed").Row
    assert row.near("x", 1.0, 1.1, 0.1).agrees
    assert not row.near("x", 1.0, 1.11, 0.1).agrees
    assert row("x", 1.0, 5.0, low=0.9).agrees
    assert row("x", 1.0, 5.0, high=4.0).agrees is False
    assert row("x", None, 5.0).cells() == ("x", "-", "5.0000", "-", "-")
    assert not row("x", 1.0, float("nan"), low=0.0).agrees
    assert row("x", 2e-5, 1e-5, low=2e-5).cells() == ("x", "2.000e-05", "1.000e-05", "-1e-05", "NO")


def test_what_is_written_says_what_it_was_computed_from(script, tmp_path, capsys):
    recomputed = script("recomputed")
    recomputed.publish(
        "made", "Made up", [recomputed.Row.near("a number", 1.0, 1.0), recomputed.Row("b", 2.0, 1.0, 2)], ["f00"]
    )
    document = json.loads((tmp_path / "published_made.json").read_text())
    assert document["inputs_sha256"] == ["f00"]
    assert document["result"][0] == {"what": "a number", "published": 1.0, "recomputed": 1.0, "low": 1.0, "high": 1.0}
    assert "1 of 2 within bounds" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["logpai", "overruling", "cube_stacking"])
def test_another_file_is_refused_in_one_line(script, tmp_path, name: str):
    path = tmp_path / "other"
    path.write_bytes(b"other")
    found = run(script(name), path)
    assert found.exit_code == 2
    message = found.stderr.strip()
    assert "\n" not in message
    assert hashlib.sha256(b"other").hexdigest() in message
    assert script(name).SHA256 in message


def test_a_folder_without_the_package_s_files_is_refused(script, tmp_path):
    found = run(script("paretobandit"), tmp_path)
    assert found.exit_code == 2
    assert "val.jsonl" in found.stderr


def llama_rows() -> list[dict[str, Any]]:
    """Ten queries to train on and ten to test; the 1b is right where it is sure, the 3b always."""
    return [
        {
            "query_id": f"b-{split}-{i}",
            "context": "b",
            "prompt": f"{split} {i}",
            "reference": "yes",
            "model": llm,
            "response": f"{llm}",
            "score": float(i >= 5) if llm == LLAMAS[0] else 1.0,
            "confidence": float(i - 10) if llm == LLAMAS[0] else -1.0,
            "prompt_tokens": 90,
            "completion_tokens": 10 if i else 20,
            "latency_s": 0.1,
        }
        for split in ("train", "test")
        for i in range(10)
        for llm in LLAMAS
    ]


def test_a_cascade_asks_the_second_llm_where_the_first_is_not_sure(script):
    cascades = script("cascades")
    rows = llama_rows()
    table = cascades.table_of(rows)
    confidence = cascades.confidences(rows, table)
    cost, accuracy = cascades.cascade_points(table, confidence[:, 0], 0, 1)
    # A call costs what the LLM's do on average of the test split: 101 tokens at $0.1 per million.
    per_call = 101 * 0.1
    of_test = np.arange(10) - 10.0
    thresholds = np.quantile(of_test, cascades.QUANTILES)
    asked_twice = (of_test[None] <= thresholds[:, None]).mean(axis=1)
    assert cost == pytest.approx(np.sort(per_call * (1 + asked_twice)))
    # Right: the sure five, and what the second is asked.
    right = ((of_test[None] <= thresholds[:, None]) | (np.arange(10) >= 5)).mean(axis=1)
    assert np.sort(accuracy) == pytest.approx(np.sort(right))


def test_the_area_is_that_between_two_costs(script):
    area = script("cascades").area_under
    cost, accuracy = np.array([1.0, 3.0]), np.array([0.0, 1.0])
    assert area(cost, accuracy, 1.0, 3.0) == pytest.approx(1.0)
    assert area(cost, accuracy, 2.0, 4.0) == pytest.approx(0.75 + 1.0)  # level beyond the last point
    assert area(cost, accuracy, 0.0, 1.0) == 0.0


def test_the_cost_of_an_accuracy_is_read_between_points(script):
    cost_at = script("overruling").cost_at
    points = [(1.0, 0.5), (3.0, 0.9), (2.0, 0.4)]  # the last is of no use
    assert cost_at(points, 0.5) == 1.0
    assert cost_at(points, 0.3) == 1.0
    assert cost_at(points, 0.7) == pytest.approx(2.0)
    assert np.isnan(cost_at(points, 0.95))


def test_a_cascade_that_reads_the_answer_saves_the_dear_llm(script):
    # "gpt-4" is always right; the cheap one says yes to all, which is wrong where the sentence looks so.
    overruling = script("overruling")
    rng = np.random.default_rng(0)
    looks = rng.integers(0, 2, 160)
    data = {
        "content": [f"Context: {i}" for i in range(160)],
        "ref_answer": ["Yes" if look else "No" for look in looks],
        "cheap": looks.tolist(),
        "cheap_answer": ["Yes"] * 160,
        "cheap_cost": [0.1] * 160,
        "gpt-4": [1] * 160,
        "gpt-4_answer": ["Yes" if look else "No" for look in looks],
        "gpt-4_cost": [1.0] * 160,
    }
    seen = np.stack([looks - 0.5, rng.normal(0, 0.1, 160)], axis=1)
    saved = overruling.saving(data, ["cheap", "gpt-4"], seen, seed=0)
    half = np.array_split(np.random.default_rng(0).permutation(160), 2)[1]
    assert saved == pytest.approx(looks[half].mean() - 0.1, abs=0.02)


def test_the_front_of_log_lines_saves_what_the_labels_allow(script, monkeypatch):
    # Half of the lines need the dear LLM, and their feature says so.
    logpai = script("logpai")
    monkeypatch.setattr(logpai, "USD_PER_MTOK", {"cheap": 1.0, "dear": 10.0})
    monkeypatch.setattr(logpai, "LABELLED", 0.1)
    hard = np.arange(400) % 2
    right = np.stack([1.0 - hard, np.ones(400)], axis=1)
    cost = np.tile([1.0, 10.0], (400, 1))
    saved, best, below, above = logpai.assigned(np.stack([hard, 1 - hard], 1) * 1.0, right, cost, 1, seed=0)
    assert best == 1.0
    assert saved == pytest.approx(0.45, abs=0.03)  # 1 - (1 + 10) / 20
    assert below < 1e-9
    assert above < 1e-9


def test_the_gate_learns_after_how_many_cubes_gpt4_is_right(script):
    cubes = script("cube_stacking")
    wrong = (*cubes.TARGET[:6], 7, 3)
    told = {cubes.TARGET[:n]: [cubes.TARGET if n in cubes.RIGHT_AFTER else wrong] for n in range(1, 9)}
    always = cubes.stacked(told, "always", 0, 40)
    gated = cubes.stacked(told, "gate", 0, 40)
    assert always == pytest.approx((3.0, 1.0), abs=0.2)  # the first stacks do not come as far
    assert gated[0] < 1.3
    assert gated[1] > 0.9
    assert cubes.stacked(told, "never", 0, 5) == (0, 0)


def test_the_pacer_keeps_a_budget_between_two_llms(script):
    # A query's first number says whether the dear LLM is worth it.
    pareto = script("paretobandit")
    rng = np.random.default_rng(0)
    seen = np.stack([rng.integers(0, 2, 1500) - 0.5], axis=1)
    reward = np.stack([np.where(seen[:, 0] > 0, 0.2, 0.8), np.full(1500, 0.9)], axis=1)
    part = {"reward": reward, "cost": np.tile([1.0, 10.0], (1500, 1))}
    earned, spent = pareto.paced("warm", 0, 5.5, (seen, part), (seen, part))
    assert spent == pytest.approx(5.5, rel=0.05)
    assert earned == pytest.approx(0.85, abs=0.02)


def test_no_script_of_published_tables_unpickles():
    folder = Path(__file__).parents[2] / "benchmarks" / "published"
    assert [path.name for path in folder.glob("*.py") if "import pickle" in path.read_text()] == []
