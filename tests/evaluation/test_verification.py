"""Verifying a table: scores and costs by hand, what cannot be computed, and the file that is written."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tables import queries, records
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.evaluation.verification import verify_table
from llm_routing_env.rewards import rescored
from llm_routing_env.tables import batches
from llm_routing_env.tables.table import OutcomeTable

LLMS = ["a", "b"]
PRICES = {"input_price_usd_per_mtok": 2.0, "output_price_usd_per_mtok": 6.0, "hardware_usd_per_hour": 0.0}
COST_USD = (10 * 2 + 5 * 6) / 1e6  # of the 10 tokens read and 5 written of every call


def table_of(changes: dict[tuple[int, int], dict[str, Any]], *, every: Any = None, **metadata: Any) -> OutcomeTable:
    """Return a table of six queries, whose reference is their number, and what two LLMs answered: "answer 0" and 1.

    So `a` is right on query 0, `b` on query 1, and nobody is right on the others.
    """
    right = np.array([[1, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0]])[:, :, None]
    asked = queries(6, ["art"])
    rows = [row | (every or {}) for row in records(asked, LLMS, right, COST_USD, 0.1)]
    for (query, llm), cells in changes.items():
        rows[query * len(LLMS) + llm] |= cells
    return OutcomeTable.from_records(asked, LLMS, rows, {"prices": dict.fromkeys(LLMS, PRICES)} | metadata)


def test_a_table_that_says_what_its_responses_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "BATCH_ROWS", 5)
    table_of({}).write(tmp_path / "t.parquet")
    done: list[tuple[int, int]] = []
    for table in (table_of({}), OutcomeTable.read(tmp_path / "t.parquet")):
        document = verify_table(table, on_progress=lambda n, total: done.append((n, total)))
        assert document["scorers"]["exact_match"] == {
            "not_computed": None,
            "n_checked": 12,
            "n_differing": 0,
            "first": [],
        }
        assert (document["costs"]["n_checked"], document["costs"]["n_differing"]) == (12, 0)
        assert (document["n_checked"], document["n_differing"]) == (24, 0)
    assert done == [(5, 12), (10, 12), (12, 12)] * 2


def test_scores_that_differ_are_counted_and_the_first_are_named():
    wrong = {(query, 0): {"accuracy_exact_match": 0.5} for query in range(6)}
    found = verify_table(table_of(wrong | {(5, 1): {"accuracy_exact_match": 5e-7}}))["scorers"]["exact_match"]
    assert found["n_differing"] == 6
    assert len(found["first"]) == 5
    assert found["first"][0] == {"query_id": "art-0", "llm": "a", "repeat": 0, "recorded": 0.5, "computed": 1.0}


def test_a_failed_call_scores_0_whatever_came_back_and_its_cost_is_not_checked():
    late = {"error": "late", "response": "answer 0", "cost_usd": 0.0}
    document = verify_table(table_of({(0, 0): late | {"accuracy_exact_match": 1.0}}))
    assert document["scorers"]["exact_match"]["first"][0]["computed"] == 0.0
    assert (document["costs"]["n_checked"], document["costs"]["n_differing"]) == (11, 0)
    assert document["failed_calls"] == {"a": 1, "b": 0}


def test_costs_are_tokens_times_prices():
    found = verify_table(table_of({(1, 1): {"cost_usd": 6e-5}, (2, 0): {"prompt_tokens": None}}))["costs"]
    assert (found["n_checked"], found["n_differing"]) == (11, 1)
    assert found["first"] == [
        {"query_id": "art-1", "llm": "b", "repeat": 0, "recorded": 6e-5, "computed": pytest.approx(5e-5)}
    ]


def test_cached_tokens_have_a_price_of_their_own_where_the_pool_has_one():
    cached = table_of({}, every={"cached_tokens": 4, "cost_usd": (6 * 2 + 4 * 0.5 + 5 * 6) / 1e6})
    assert verify_table(cached)["costs"]["n_differing"] == 12
    pool = {"llm": [{"name": name, "cached_price_usd_per_mtok": 0.5} for name in LLMS]}
    assert verify_table(cached.with_metadata({"pool": pool}))["costs"]["n_differing"] == 0


def test_hardware_is_paid_by_its_time():
    prices = {"a": PRICES | {"hardware_usd_per_hour": 3.6}, "b": PRICES}
    table = table_of({(query, 0): {"cost_usd": 1e-4} for query in range(6)}, prices=prices)  # 3.6 / 3600 * 0.1 s
    assert verify_table(table)["costs"]["n_differing"] == 0


@pytest.mark.parametrize("prices", [None, 1, {"a": 1, "b": {"input_price_usd_per_mtok": "x"}}])
def test_without_prices_no_cost_is_checked(prices: Any):
    found = verify_table(table_of({(0, 0): {"cost_usd": 1.0}}, prices=prices))["costs"]
    assert found["not_computed"] == "the table records no prices"
    assert found["n_checked"] == found["n_differing"] == 0


def test_prices_of_the_pool_stand_in():
    pool = {"llm": [{"name": "a"} | PRICES, {"name": "b"}, 3, {"name": 4}]}
    assert verify_table(table_of({}, prices=None, pool=pool))["costs"]["n_checked"] == 6


@pytest.mark.parametrize(
    ("scorer", "reason"),
    [("judge", "no scorer here"), ("cosine:some/model", "the table names a model for it, which is not loaded")],
)
def test_scores_that_nobody_here_can_compute_are_said(scorer: str, reason: str):
    document = verify_table(table_of({}, every={f"accuracy_{scorer}": 0.3}))
    assert reason in document["scorers"][scorer]["not_computed"]
    assert document["scorers"]["exact_match"]["not_computed"] is None
    assert document["n_differing"] == 0


def test_a_scorer_whose_package_is_missing_is_said(monkeypatch: pytest.MonkeyPatch):
    def missing(*_: Any) -> None:
        raise ImportError("Embeddings need\nsentence-transformers")

    monkeypatch.setitem(rescored.SCORERS, "cosine", missing)
    found = verify_table(table_of({}, every={"accuracy_cosine": 0.3}))["scorers"]["cosine"]
    assert (found["not_computed"], found["n_differing"]) == ("Embeddings need sentence-transformers", 0)


def test_a_table_without_responses_has_nothing_to_score():
    found = verify_table(table_of({}, every={"response": ""}))["scorers"]["exact_match"]
    assert (found["not_computed"], found["n_checked"]) == ("the table has no responses", 0)


def test_cut_answers_are_told_by_their_reason_or_by_their_length():
    pool = {"llm": [{"name": "a", "max_tokens": 5}, {"name": "b", "max_tokens": 6}]}
    assert verify_table(table_of({}, pool=pool))["cut"]["answers"] == {"a": 6, "b": 0}
    told = table_of({(0, 1): {"finish_reason": "length"}}, every={"finish_reason": "stop"}, pool=pool)
    assert verify_table(told)["cut"] == {"told_by": "finish_reason", "answers": {"a": 0, "b": 1}}
    assert verify_table(table_of({}))["cut"] == {"told_by": None, "answers": {}}


def test_the_written_table_has_the_new_scores_and_everything_else_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(batches, "BATCH_ROWS", 5)
    wrong = {(0, 0): {"accuracy_exact_match": 0.5}}
    table_of(wrong, every={"accuracy_judge": 0.25}).write(tmp_path / "t.parquet")
    table = OutcomeTable.read(tmp_path / "t.parquet")
    assert verify_table(table, out=tmp_path / "new.parquet")["n_differing"] == 1
    again = OutcomeTable.read(tmp_path / "new.parquet")
    assert again.accuracy("exact_match")[:, :, 0].tolist() == [[1, 0], [0, 1], [0, 0], [0, 0], [0, 0], [0, 0]]
    assert again.metadata.pop("rescored") == {
        "table": "t.parquet",
        "sha256": table.sha256,
        "scorers": ["exact_match"],
    }
    assert again.metadata == table.metadata
    old, new = pq.read_table(tmp_path / "t.parquet"), pq.read_table(tmp_path / "new.parquet")
    assert old.drop_columns("accuracy_exact_match").equals(new.drop_columns("accuracy_exact_match"))
    assert verify_table(again)["n_differing"] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.parquet", "t.parquet"]


def test_codes_of_an_opened_table_can_be_written(tmp_path: Path):
    table_of({}).write(tmp_path / "t.parquet")
    OutcomeTable.read(tmp_path / "t.parquet").write(tmp_path / "codes.parquet")
    table = OutcomeTable.read(tmp_path / "codes.parquet")
    verify_table(table, out=tmp_path / "new.parquet")
    assert list(OutcomeTable.read(tmp_path / "new.parquet").queries) == list(table.queries)


def run(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


def test_the_command_says_what_differs_and_ends_in_1(tmp_path: Path):
    table_of({(0, 0): {"accuracy_exact_match": 0.5}}).write(tmp_path / "t.parquet")
    done = run(tmp_path / "t.parquet")
    assert done.exit_code == 1
    assert "accuracy exact_match: 1 of 12 differ\n" in done.output
    assert "  query 'art-0', LLM 'a', repeat 0: recorded 0.5, computed 1\n" in done.output
    assert "1 of 24 numbers differ." in done.output
    written = run(tmp_path / "t.parquet", "--write", tmp_path / "new.parquet", "--json")
    assert json.loads(written.stdout)["n_differing"] == written.exit_code == 1
    done = run(tmp_path / "new.parquet")
    assert (done.exit_code, "Nothing differs." in done.output) == (0, True)


def test_a_table_of_which_nothing_can_be_computed_is_not_called_good(tmp_path: Path):
    table_of({}, every={"response": ""}, prices=None).write(tmp_path / "t.parquet")
    done = run(tmp_path / "t.parquet")
    assert (done.exit_code, "Nothing could be computed" in done.output) == (0, True)
    assert "Nothing differs" not in done.output


@pytest.mark.parametrize("name", ["there.parquet", "no/folder.parquet"])
def test_nothing_is_overwritten(tmp_path: Path, name: str):
    (tmp_path / "there.parquet").touch()
    with pytest.raises(ValueError, match=r"exists: move it away|there is no folder"):
        verify_table(table_of({}), out=tmp_path / name)
    with pytest.raises(ValueError, match=r"nothing to write: exact_match \(the table has no responses\)"):
        verify_table(table_of({}, every={"response": ""}), out=tmp_path / "new.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["there.parquet"]


def test_a_file_that_cannot_be_written_is_refused_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[Any] = []
    monkeypatch.setitem(rescored.SCORERS, "cosine", lambda *texts: calls.append(texts) or np.ones(1))
    with pytest.raises(ValueError, match="there is no folder"):
        verify_table(table_of({}, every={"accuracy_cosine": 0.3}), out=tmp_path / "no" / "folder.parquet")
    assert not calls


@pytest.mark.parametrize("given", [None, "0"])
def test_loading_a_model_shows_no_bars_unless_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str | None
):
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "0")
    if given is None:
        monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS")
    table_of({}).write(tmp_path / "t.parquet")
    run(tmp_path / "t.parquet")
    assert os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] == (given or "1")


def test_an_interrupted_write_leaves_nothing(tmp_path: Path):
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verify_table(table_of({}), out=tmp_path / "new.parquet", on_progress=interrupt)
    assert not list(tmp_path.iterdir())
