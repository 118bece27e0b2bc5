"""`pickllm record`: what it says of a table besides the counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from counting_server import CountingServer, counting_server
from faulty_server import faulty_server
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.tables.queries import Query, QuerySet


def test_a_dead_llm_and_shared_prompts_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    QuerySet(
        Query(f"q{number}", "art", split, "Who?", ("me",)) for number, split in enumerate(("train", "test"))
    ).write("queries.jsonl")
    with faulty_server() as server:
        price = "input_price_usd_per_mtok = 1\noutput_price_usd_per_mtok = 2\n"
        llms = [f'[[llm]]\nname = "{name}"\nbase_url = "{server.base_url}"\n{price}' for name in ("good", "400")]
        Path("pool.toml").write_text('name = "two"\nmax_retries = 0\n' + "".join(llms))
        command = ["record", "pool.toml", "queries.jsonl", "out.parquet", "--repeats", "2", "--yes"]
        done = CliRunner().invoke(app, [*command, "--allow-errors"])
    assert done.exit_code == 0, done.output
    assert "4 of the 4 calls of '400' failed, the first with 'HTTP 400: " in done.output
    assert "Prompts in both splits: 1." in done.output


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingServer]:
    """Return a server of two LLMs; their pool and two queries lie in the folder."""
    monkeypatch.chdir(tmp_path)
    QuerySet(Query(f"q{number}", "art", "test", f"Who {number}?", ("me",)) for number in range(2)).write(
        "queries.jsonl"
    )
    price = "input_price_usd_per_mtok = 1\noutput_price_usd_per_mtok = 2\n"
    with counting_server() as running:
        llms = [f'[[llm]]\nname = "{name}"\nbase_url = "{running.base_url}"\n{price}' for name in ("a", "b")]
        Path("pool.toml").write_text('name = "two"\n' + "".join(llms))
        yield running


def run(*options: str) -> tuple[int, str, str]:
    """Run `pickllm record` in this process: its exit code, what it printed, and what it ended in."""
    command = ["record", "pool.toml", "queries.jsonl", "out.parquet", "--repeats", "1", "--yes", *options]
    done = CliRunner().invoke(app, command)
    return done.exit_code, done.output, str(done.exception)


def test_a_recording_that_ends_early_says_why_what_is_kept_and_how_to_go_on(server: CountingServer):
    code, said, why = run("--max-requests", "3")
    assert code == 1
    assert "3 of 4 outcomes, 0 failed, 3 requests, $0.0000" in said
    kept = "Kept in out.parquet.journal.sqlite; go on with --resume and a higher --max-usd or --max-requests."
    assert why == f"Stopped: the budget of 3 requests is used up. {kept}"
    assert not Path("out.parquet").exists()
    code, said, _ = run("--resume")
    assert code == 0, said
    assert "4 of 4 outcomes, 0 failed, 4 requests, $0.0001" in said
    assert len(server.requests) == 4


def test_failed_outcomes_are_counted_by_llm_with_both_ways_to_go_on(server: CountingServer):
    server.status = lambda number, llm, prompt: 400 if llm == "b" else 200
    code, said, why = run()
    assert code == 1
    assert "4 of 4 outcomes, 2 failed" in said
    assert why == (
        """2 outcomes failed: 2 of 'b', the first with: HTTP 400: {"error": "as told"}. """
        "Kept in out.parquet.journal.sqlite: --resume --retry-errors asks them again, and pays for them again, "
        "--resume --allow-errors writes the table with accuracy 0 for them."
    )
    assert run("--resume", "--allow-errors")[0] == 0
    assert len(server.requests) == 4
    server.status = lambda number, llm, prompt: 200
    code, said, _ = run("--resume", "--retry-errors")
    assert code == 0
    assert "not asked again, but for its errors, which are asked again and paid for again." in said
    assert [request["model"] for request in server.requests[4:]] == ["b", "b"]


def test_an_llm_that_refuses_everybody_ends_it_at_once(server: CountingServer):
    server.status = lambda number, llm, prompt: 401 if llm == "b" else 200
    code, _, why = run()
    assert code == 1
    assert why.startswith(
        """Stopped: 'b' was given up: HTTP 401: {"error": "as told"}. Kept in out.parquet.journal.sqlite; go on"""
    )
    assert why.endswith("with --resume once that is mended.")


@pytest.mark.parametrize("name", ["out.parquet.journal.sqlite", "out.parquet.journal.jsonl"])
@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_a_journal_of_an_earlier_version_is_refused_in_one_line(
    server: CountingServer, name: str, options: tuple[str, ...]
):
    Path(name).write_text('{"journal": 3, "pool": {}, "crc32": 1}\n')
    code, _, why = run(*options)
    assert code == 1  # of the runner: the command itself turns the error into its line and 2
    assert f"{name} is a journal of an earlier version: `pickllm export journal {name} outcomes.csv` writes" in why
    assert len(why.splitlines()) == 1
    assert server.requests == []
