"""`pickllm record`: what it says of a table besides the counts."""

from pathlib import Path

import pytest
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
        llms = [f'[[llm]]\nname = "{name}"\nbase_url = "{server.base_url}"\n{price}' for name in ("good", "500")]
        Path("pool.toml").write_text('name = "two"\nmax_retries = 0\n' + "".join(llms))
        done = CliRunner().invoke(app, ["record", "pool.toml", "queries.jsonl", "out.parquet", "--repeats", "2"])
    assert done.exit_code == 0, done.output
    assert "4 of the 4 calls of '500' failed, the first with 'HTTP 500: " in done.output
    assert "Prompts in both splits: 1." in done.output
