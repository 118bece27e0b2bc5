"""`pickllm load-curve`: from a running endpoint to the table's metadata, and what bad input ends in."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from counting_server import DELAY_S, CountingServer, counting_server
from tables import random_table

from llm_routing_env.cli import main
from llm_routing_env.pools.load_curve import load_curves
from llm_routing_env.tables.table import OutcomeTable


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


@pytest.fixture
def pool(tmp_path: Path, server: CountingServer) -> Path:
    prices = "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0"
    llms = [f'[[llm]]\nname = "llm-{i}"\nbase_url = "{server.base_url}"\n{prices}' for i in range(2)]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join(['name = "mine"', *llms]))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "mine.parquet"
    random_table(per_context=4, n_llms=2, n_repeats=1).write(path)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["pickllm", "load-curve", *map(str, arguments)])
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_curve_is_kept_in_the_table(
    server: CountingServer,
    pool: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    before = OutcomeTable.read(table)
    assert run(monkeypatch, table, "--pool", pool, "--concurrency", "1,3", "--requests", "6", "--yes") == 0
    after = OutcomeTable.read(table)
    assert [curve.concurrency for curve in load_curves(after)] == [(1, 3), (1, 3)]
    assert all(curve.latency_s[0] >= DELAY_S for curve in load_curves(after))
    assert after.latency_s.tolist() == before.latency_s.tolist()
    assert after.query_ids == before.query_ids
    assert {answer.llm for answer in server.answers} == {"llm-0", "llm-1"}
    assert len(server.answers) == 2 * (8 + 6 + 8)  # warm-up, alone, three in flight
    said, estimate = capsys.readouterr()
    assert estimate.startswith("Live LLMs get 44 requests, about $")
    assert "3 in flight" in said
    assert after.sha256[:12] in said
    assert "44 requests, $0.0006" in said  # of 10 prompt tokens at 1 and 2 completion tokens at 2 USD per million


def test_a_budget_is_not_exceeded(
    server: CountingServer,
    pool: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    before = table.read_bytes()
    bounds = ("--concurrency", "1,3", "--requests", "6", "--max-requests", "10")
    assert run(monkeypatch, table, "--pool", pool, *bounds) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "'llm-0' failed with 1 in flight, so nothing was kept: the budget of 10 requests" in line
    assert line.endswith(" (10 requests, $0.0001 so far.)")  # of 10 tokens read at 1 and 2 written at 2 USD per million
    assert len(server.answers) == 10
    assert table.read_bytes() == before


def test_money_without_a_bound_needs_a_yes(
    server: CountingServer, pool: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run(monkeypatch, table, "--pool", pool, "--concurrency", "1,3", "--requests", "6") == 2
    estimate, line = capsys.readouterr().err.splitlines()
    assert estimate.startswith("Live LLMs get 44 requests, about $")
    assert "give --max-usd, or --yes" in line
    assert not server.answers


def test_what_is_interrupted_says_what_was_spent_and_that_nothing_is_kept(
    server: CountingServer, pool: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    before = table.read_bytes()

    def measure(*arguments: object, backend: Any, **settings: object) -> None:
        backend.warm_up(OutcomeTable.read(table).queries[0], [0, 1])
        raise KeyboardInterrupt

    monkeypatch.setattr("llm_routing_env.cli.load_curve.measure_load", measure)
    assert run(monkeypatch, table, "--pool", pool, "--yes") == 130
    # 10 prompt tokens at 1 and 2 completion tokens at 2 USD per million, twice.
    assert capsys.readouterr().err.splitlines()[-1] == "Interrupted. Nothing is kept; 2 requests, $0.0000 so far."
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nano",), "The table nano is the same for everybody who names it: give the path of a copy"),
        (("nowhere.parquet",), "Unknown table 'nowhere.parquet'"),
        (("TABLE",), "recorded on the pool 'random', which is not shipped: give pool=<its TOML file>"),
        (("TABLE", "--pool", "POOL", "--concurrency", "1,x"), "--concurrency must be whole numbers separated by"),
        (("TABLE", "--pool", "POOL", "--concurrency", "4,16"), "rising from 1"),
        (("TABLE", "--pool", "POOL", "--requests", "0"), "requests must be 1 to 1000000, got 0"),
        (("TABLE", "--pool", "POOL", "--requests", "99999999999999"), "requests must be 1 to 1000000, got 99"),
        (("TABLE", "--pool", "nano"), "pickllm serve nano"),
    ],
)
def test_bad_input_ends_in_one_clear_line_and_code_2(
    arguments: tuple[str, ...],
    message: str,
    pool: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    before = table.read_bytes()
    places = {"TABLE": table, "POOL": pool}
    assert run(monkeypatch, *(places.get(argument, argument) for argument in arguments)) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert table.read_bytes() == before


@pytest.mark.parametrize("error", [MemoryError(), OSError("the disk is full")])
def test_what_ends_it_is_one_line_with_what_was_spent(
    pool: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
):
    def measure(*arguments: object, backend: Any, **settings: object) -> None:
        backend.warm_up(OutcomeTable.read(table).queries[0], [0, 1])
        raise error

    monkeypatch.setattr("llm_routing_env.cli.load_curve.measure_load", measure)
    assert run(monkeypatch, table, "--pool", pool, "--max-usd", "1") == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1] == f"pickllm: {str(error) or 'MemoryError'} (2 requests, $0.0000 so far.)"
    assert not any("Traceback" in line for line in said)


@pytest.mark.parametrize("pace", ["requests_per_minute", "tokens_per_minute"])
def test_an_llm_whose_requests_are_spaced_is_refused_before_anything_is_asked(
    server: CountingServer,
    pool: Path,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pace: str,
):
    pool.write_text(pool.read_text() + f"\n{pace} = 6000\n")
    assert run(monkeypatch, table, "--pool", pool, "--concurrency", "1,3", "--max-usd", "1") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"pickllm: The LLM 'llm-1' has {pace}, so its requests are spaced and load cannot be")
    assert not server.requests
