"""Logs: what is written comes back, and what cannot be is refused in one line that names the step."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import random_table

from llm_routing_env.logs import Log, read_log
from llm_routing_env.logs.file import write_log

ARRAYS = ("agent", "context", "query", "session", "step", "action", "propensity", "reward", "accuracy", "cost_usd")
NUMBERS = ("latency_s", "prompt_tokens", "completion_tokens", "failed", "phase")


def two_agents(**changes: Any) -> Log:
    """Return a log of two agents, each of a session of two steps and one of one, on three LLMs."""
    ones, half = np.ones(6), np.full(6, 0.5)
    columns: dict[str, Any] = {
        "metadata": {"llms": ["a", "b", "c"], "table": None},
        "llm_names": ("a", "b", "c"),
        "agents": ("second", "first"),
        "agent": np.array([0, 0, 0, 1, 1, 1]),
        "contexts": ("art", "chess"),
        "context": np.array([0, 0, 1, 0, 0, 1]),
        "query_ids": ("q1", "q2", "q3"),
        "query": np.array([0, 1, 2, 0, 1, 2]),
        "session": np.array([0, 0, 1, 0, 0, 1]),
        "step": np.array([0, 1, 0, 0, 1, 0]),
        "action": np.array([0, 1, 2, 2, 1, 0]),
        "propensity": np.array([0.5, 0.25, 1.0, 0.1, 0.2, np.nan]),
        "reward": np.array([1.0, -0.5, 0.0, 1e-9, 3.0, np.nan]),
        "accuracy": half,
        "cost_usd": ones,
        "latency_s": np.array([0.1, np.nan, 0.3, 0.4, 0.5, 0.6]),
        "prompt_tokens": np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0]),
        "completion_tokens": ones * 7,
        "failed": np.array([False, True, False, False, False, True]),
        "phase": np.array([0, 1, 0, 0, 1, 0]),
        "mask": np.array([[1, 1, 1], [0, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=bool),
        "terms": {"accuracy": half, "cost": ones},
        "extra": {"regret": half},
    }
    return Log(**columns | changes)


def assert_equal(log: Log, other: Log) -> None:
    for name in ("llm_names", "agents", "contexts", "query_ids"):
        assert getattr(log, name) == getattr(other, name)
    for name in (*ARRAYS, *NUMBERS, "mask"):
        np.testing.assert_array_equal(getattr(log, name), getattr(other, name), name)
    for name in ("terms", "extra"):
        assert getattr(log, name).keys() == getattr(other, name).keys()
        for column, values in getattr(log, name).items():
            np.testing.assert_array_equal(values, getattr(other, name)[column])


def test_a_log_comes_back_as_it_was(tmp_path: Path):
    write_log(two_agents(), tmp_path / "log.parquet")
    log = read_log(tmp_path / "log.parquet")
    assert_equal(log, two_agents())
    assert {"format": "pickllm-log", "version": 1, "llms": ["a", "b", "c"]}.items() <= log.metadata.items()


def test_columns_hold_null_where_nothing_is_known_or_every_llm_can_be_asked(tmp_path: Path):
    write_log(two_agents(), tmp_path / "log.parquet")
    rows = pq.read_table(tmp_path / "log.parquet").to_pylist()
    assert [row["action_mask"] for row in rows[:2]] == [None, [False, True, True]]
    assert [(row["agent"], row["llm"], row["query_id"]) for row in rows[2:4]] == [
        ("second", "c", "q3"),
        ("first", "c", "q1"),
    ]
    assert rows[5]["propensity"] is None
    assert rows[2]["prompt_tokens"] is None


def test_rows_in_any_order_are_read_by_agent_session_and_step(tmp_path: Path):
    write_log(two_agents(), tmp_path / "log.parquet")
    rows = pq.read_table(tmp_path / "log.parquet")
    pq.write_table(rows.take([0, 3, 2, 5, 1, 4]), tmp_path / "mixed.parquet")
    mixed, log = read_log(tmp_path / "mixed.parquet"), two_agents()
    assert (mixed.agents, mixed.step.tolist()) == (log.agents, log.step.tolist())
    np.testing.assert_array_equal(mixed.reward, log.reward)
    np.testing.assert_array_equal(mixed.mask, log.mask)


def test_the_rows_of_one_agent():
    first = two_agents().for_agent("first")
    assert (first.agents, first.agent.tolist(), first.action.tolist()) == (("first",), [0, 0, 0], [2, 1, 0])
    assert first.terms["cost"].tolist() == [1.0, 1.0, 1.0]
    assert two_agents().session_of_row.tolist() == [0, 0, 1, 2, 2, 3]
    with pytest.raises(
        ValueError, match=r"Unknown agent in the log 'fist'. Did you mean 'first'\? Known: second, first."
    ):
        two_agents().for_agent("fist")


def test_propensities_that_were_not_told_are_missed_where_they_are_needed():
    two_agents().for_agent("second").require_propensities()
    with pytest.raises(
        ValueError, match="1 of 6 rows have no propensity, first step 0 of session 1 of first: first did"
    ):
        two_agents().require_propensities()


def test_a_log_knows_its_table():
    table = random_table()
    ids = tuple(table.query_ids[row] for row in (4, 0, 7))
    facts = {"llms": ["a", "b", "c"], "table": {"name": "random", "sha256": table.sha256}}
    log = two_agents(query_ids=ids, metadata=facts)
    assert log.require_table(table).tolist() == [4, 0, 7, 4, 0, 7]
    other = replace(log, metadata=facts | {"table": {"name": "other", "sha256": "0" * 64}})
    with pytest.raises(ValueError, match=rf"of the table other \(sha256 0{{12}}…\), not of .*{table.sha256[:12]}"):
        other.require_table(table)
    with pytest.raises(ValueError, match="is of no outcome table"):
        two_agents().require_table(table)


def changed(name: str, row: int, value: Any) -> dict[str, Any]:
    values = getattr(two_agents(), name).copy()
    values[row] = value
    return {name: values}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (changed("propensity", 1, 0.0), "step 1 of session 0 of second: expected a propensity above 0 and at most 1"),
        (changed("propensity", 3, 1.5), "step 0 of session 0 of first: expected a propensity .* found 1.5"),
        (
            changed("action", 1, 0),
            "step 1 of session 0 of second: a was asked, which the action mask of the row forbids",
        ),
        (changed("action", 0, 3), "expected an action from 0 to 2, found 3"),
        (changed("step", 1, 2), "step 2 of session 0 of second: expected step 1; the steps of a session count 0, 1, 2"),
        (changed("step", 1, 0), "step 0 of session 0 of second: expected step 1"),
        (changed("step", 2, 1), "step 1 of session 1 of second: expected step 0"),
        (changed("accuracy", 0, 1.1), "expected an accuracy from 0 to 1"),
        (changed("cost_usd", 0, -1.0), "expected a finite cost_usd of 0 or more"),
        (changed("reward", 0, np.inf), "expected a finite reward"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        two_agents(**changes)


def with_column(path: Path, name: str, values: Any, **metadata: Any) -> Path:
    """Return a copy of a written log with another column, or other metadata."""
    write_log(two_agents(), path.parent / "log.parquet")
    rows = pq.read_table(path.parent / "log.parquet")
    if name:
        place = rows.column_names.index(name)
        rows = rows.remove_column(place) if values is None else rows.set_column(place, name, values)
    pq.write_table(rows, path)
    return path


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("llm", pa.array(["a", "b", "c", "c", "b", "d"]), "Unknown LLM in the log 'd'"),
        ("llm", pa.array(["a", "b", "c", "c", "b", "b"]), "row 5: the action 0 is not b"),
        ("propensity", pa.array([0.5, float("nan")] + [1.0] * 4), "row 1: the propensity is NaN; null: not told"),
        ("action_mask", pa.array([[True], None, None, None, None, None]), "every action_mask must have 3 booleans"),
        ("reward", pa.array(["1"] * 6), "the column 'reward' must hold numbers, found string"),
        ("step", pa.array([0.0, 1.0, 0.0] * 2), "the column 'step' must hold a whole number in each row"),
        ("agent", pa.array(["x", None] * 3), "the column 'agent' is empty in 3 rows"),
        ("step", None, "a log must have the columns .*; step is not there"),
    ],
)
def test_files_that_say_what_cannot_be_are_refused(tmp_path: Path, name: str, values: Any, message: str):
    path = with_column(tmp_path / "wrong.parquet", name, values)
    with pytest.raises(ValueError, match=rf"wrong.parquet: .*{message}"):
        read_log(path)


@pytest.mark.parametrize("name", ["propensity", "action_mask", "phase", "llm", "failed", "context", "accuracy"])
def test_columns_that_a_log_need_not_have(tmp_path: Path, name: str):
    log = read_log(with_column(tmp_path / "less.parquet", name, None))
    expected = {"propensity": np.nan, "accuracy": np.nan, "phase": 0, "failed": False, "context": 0}
    if name in expected:
        np.testing.assert_array_equal(getattr(log, name), np.full(6, expected[name]))
    assert (log.mask is None) == (name == "action_mask")


def test_files_that_are_no_logs(tmp_path: Path):
    (tmp_path / "text.parquet").write_text("no parquet")
    pq.write_table(pa.table({"step": [0]}), tmp_path / "other.parquet")
    write_log(two_agents(), tmp_path / "log.parquet")
    rows = pq.read_table(tmp_path / "log.parquet")
    newer = {"pickllm_log": '{"format": "pickllm-log", "version": 2, "llms": ["a"]}'}
    pq.write_table(rows.replace_schema_metadata(newer), tmp_path / "newer.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "log.parquet").read_bytes()[:-50])
    for name, message in {
        "text.parquet": "not a parquet file that can be read",
        "cut.parquet": "not a parquet file that can be read",
        "other.parquet": "no log of steps: its metadata has no 'pickllm_log'; `pickllm compare --log-steps`",
        "newer.parquet": "a log of version 2, and this release reads 1",
    }.items():
        with pytest.raises(ValueError, match=rf"{name}: {message}"):
            read_log(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "nothing.parquet")
