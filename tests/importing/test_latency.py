"""Latencies drawn from another table: by name, else by rank of cost; seeded, and said."""

import json
from pathlib import Path

import numpy as np
import pytest
from imports import imported
from tables import queries, records

from llm_routing_env.importing.latency import match_llms
from llm_routing_env.tables.table import OutcomeTable


def recorded(llms: tuple[str, ...] = ("dear", "cheap", "middle")) -> OutcomeTable:
    """Return a table whose LLMs have latencies of 3 to 3.9, 1 to 1.9 and 2 to 2.9 seconds."""
    asked = queries(10, ["art"])
    cost = np.array([3.0, 1.0, 2.0])[None, :, None]
    latency = np.array([3.0, 1.0, 2.0])[None, :, None] + np.arange(10)[:, None, None] / 10
    return OutcomeTable.from_records(asked, llms, records(asked, llms, 1.0, cost, latency), {})


def source(tmp_path: Path, llms: dict[str, float | None], n_queries: int = 40) -> Path:
    content = [
        {"query_id": f"q{i}", "prompt": "?", "context": "c", "llm": llm, "accuracy": 1, "cost_usd": cost}
        for i in range(n_queries)
        for llm, cost in llms.items()
    ]
    path = tmp_path / "source.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    return path


def simulate(tmp_path: Path, llms: dict[str, float | None], seed: int = 0) -> OutcomeTable:
    return imported(source(tmp_path, llms), latency_from=recorded(), seed=seed).table


def test_names_match_first_and_the_rest_by_rank_of_cost(tmp_path: Path):
    table = simulate(tmp_path, {"middle": 9.0, "x-dear": 0.5, "x-cheap": 0.1})
    assert table.metadata["latency_from"]["llms"] == {"middle": "middle", "x-cheap": "cheap", "x-dear": "dear"}
    floors = np.floor(table.latency_s[:, :, 0])
    assert (floors == [2, 3, 1]).all()
    assert len(np.unique(table.latency_s[:, 0])) > 5


def test_the_table_says_that_its_latency_is_simulated(tmp_path: Path):
    table = simulate(tmp_path, {"cheap": 1.0, "dear": 2.0})
    assert table.notes == ("The latency is simulated from a table.",)
    table.write(tmp_path / "out.parquet")
    assert OutcomeTable.read(tmp_path / "out.parquet").notes == table.notes


def test_the_same_seed_draws_the_same_and_another_draws_others(tmp_path: Path):
    first, again, other = (simulate(tmp_path, {"cheap": 1.0, "dear": 2.0}, seed).latency_s for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_missing_pairs_neither_give_nor_get_latencies(tmp_path: Path):
    asked, llms = queries(10, ["art"]), ("dear", "cheap")
    given = records(asked, llms, 1.0, 1.0, np.arange(20).reshape(10, 2, 1) + 1.0)
    donor = OutcomeTable.from_records(asked, llms, given[1:], {})  # without the second that art-0 took on dear
    path = source(tmp_path, {"dear": 2.0, "cheap": 1.0})
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))  # without q39 on cheap
    table = imported(path, latency_from=donor).table
    assert np.argwhere(np.isnan(table.latency_s)).tolist() == [[39, 1, 0]]
    assert set(table.latency_s[:, 0].ravel()) == {float(seconds) for seconds in range(3, 21, 2)}


def test_one_llm_of_another_name_gets_the_middle_one():
    assert match_llms(["x"], np.ones((1, 1, 1)), recorded()) == {"x": "middle"}


def test_without_costs_other_names_cannot_be_matched(tmp_path: Path):
    with pytest.raises(ValueError, match=r"expected the LLMs x in it, or costs.*the imported file records no cost"):
        simulate(tmp_path, {"x": None, "cheap": None})


def test_recorded_latencies_are_never_replaced(tmp_path: Path):
    with pytest.raises(ValueError, match="records latencies; leave out --latency-from"):
        imported(source(tmp_path, {"cheap": 1.0}), {"latency_s": "cost_usd"}, latency_from=recorded())
