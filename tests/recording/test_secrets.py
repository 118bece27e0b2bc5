"""Secrets: API keys stay out of journals, tables, logs and messages."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import journal_files
import pytest
from faulty_server import faulty_server

from llm_routing_env.backends.http_endpoints import Endpoint
from llm_routing_env.pools import provenance
from llm_routing_env.pools.hiding import without_secrets
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.pools.provenance import answer_identities, describe_pool
from llm_routing_env.recording import record
from llm_routing_env.recording.export import export_journal
from llm_routing_env.tables.queries import Query, QuerySet

KEY, OTHER = "sk-sesame-0123456789", "sk-poppy-9876543210"
LLM = LLMSpec("a", 1.0, 2.0, base_url="http://host/v1")


@pytest.mark.parametrize(
    "name",
    ["api-key", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "apiKey", "OPENAI_APIKEY", "DB_PASSWD", "password", "auth"],
)
def test_what_may_be_a_secret_is_not_described(name):
    pool = Pool("p", (replace(LLM, serve={"nested": {"list": [{name: KEY}]}}),), environment={name: KEY})
    assert KEY not in json.dumps(describe_pool(pool))


@pytest.mark.parametrize("name", ["max-num-batched-tokens", "tokenizer", "OMP_NUM_THREADS", "max-model-len"])
def test_what_decides_about_numbers_is_described(name):
    pool = Pool("p", (replace(LLM, serve={name: 256}),))
    assert describe_pool(pool)["llm"][0]["serve"] == {name: 256}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"http://alice:{KEY}@proxy:3128"),
        ("DATABASE_URL", f"postgres://u:{KEY}@h/db"),
        ("OPENAI", KEY),
        ("LD_PRELOAD", "/home/alice/lib.so"),
        ("VLLM_API_KEY", KEY),
        ("VLLM_FOO", KEY),
        ("VLLM_HTTP_TIMEOUT_KEEP_ALIVE_2", KEY),
        ("VLLM_USAGE_STATS_SERVER", f"http://alice:{KEY}@host"),
    ],
)
def test_of_an_environment_variable_only_the_name_is_described(name: str, value: str):
    pool = Pool("p", (replace(LLM, environment={name: value}),), environment={name: value})
    described = describe_pool(pool)
    assert described["environment"] == described["llm"][0]["environment"] == {name: "[hidden]"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OMP_NUM_THREADS", "1"),
        ("VLLM_CPU_KVCACHE_SPACE", "4"),
        ("CUDA_VISIBLE_DEVICES", "0,1"),
        ("HF_HUB_OFFLINE", "1"),
    ],
)
def test_variables_that_decide_about_numbers_and_hold_no_secret_are_described(name: str, value: str):
    assert describe_pool(Pool("p", (LLM,), environment={name: value}))["environment"] == {name: value}


def test_a_flag_that_is_a_table_in_json_is_described_without_its_secrets():
    serve = {"kv-transfer-config": json.dumps({"kv_role": "both", "auth": {"token": KEY}, "url": f"s3://u:{KEY}@h"})}
    described = describe_pool(Pool("p", (LLM,), serve=serve))["serve"]["kv-transfer-config"]
    assert json.loads(described) == {"kv_role": "both", "auth": "[hidden]", "url": "s3://[hidden]@h"}


def test_no_address_is_described_with_its_password():
    model = f"s3://me:{KEY}@host/weights"
    pool = Pool("p", (replace(LLM, model=model),), serve={"tokenizer": f"https://{KEY}@host/t", "list": [model]})
    described = describe_pool(pool)
    assert KEY not in json.dumps(described)
    assert described["llm"][0]["model"] == "s3://[hidden]@host/weights"
    assert described["serve"] == {"tokenizer": "https://[hidden]@host/t", "list": ["s3://[hidden]@host/weights"]}


def test_an_address_is_described_without_its_password():
    pool = Pool("p", (replace(LLM, base_url=f"http://me:{KEY}@host/v1?key={KEY}"),))
    assert describe_pool(pool)["llm"][0]["base_url"] == "http://[hidden]@host/v1"


def test_of_a_parameter_behind_the_address_the_name_is_described_and_the_value_of_a_version():
    query = {"sig": KEY, "code": KEY, "api-version": "2025-01-01", "version": "2"}
    described = describe_pool(Pool("p", (replace(LLM, query=query),)))["llm"][0]["query"]
    assert described == {"sig": "[hidden]", "code": "[hidden]", "api-version": "2025-01-01", "version": "2"}


def test_headers_and_parameters_within_a_request_are_not_described():
    tool = {"type": "mcp", "server_url": f"https://h/mcp?key={KEY}#{KEY}", "headers": {"X": KEY}}
    request = {"tools": [tool], "extra_headers": {"Y": KEY}, "default-headers": [KEY], "stop": ["What?"]}
    described = describe_pool(Pool("p", (replace(LLM, request=request),)))["llm"][0]["request"]
    assert described == {
        "tools": [{"type": "mcp", "server_url": "https://h/mcp", "headers": {"X": "[hidden]"}}],
        "extra_headers": {"Y": "[hidden]"},
        "default-headers": "[hidden]",
        "stop": ["What?"],
    }


def test_a_flag_that_is_a_list_in_json_is_described_without_its_secrets():
    described = describe_pool(Pool("p", (LLM,), serve={"lora-modules": json.dumps([{"name": "a", "token": KEY}])}))
    assert json.loads(described["serve"]["lora-modules"]) == [{"name": "a", "token": "[hidden]"}]


def test_a_key_that_the_server_quotes_reaches_no_file_and_no_terminal(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    QuerySet([Query("q", "art", "test", "Who?", ("Dürer",))]).write(tmp_path / "queries.jsonl")
    with faulty_server() as server:
        (tmp_path / "pool.toml").write_text(
            f'name = "p"\n[[llm]]\nname = "quotes the key"\nbase_url = "{server.base_url}"\napi_key_env = "MY_KEY"\n'
            "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n"
        )
        command = [sys.executable, "-m", "llm_routing_env.cli", "record", "pool.toml", "queries.jsonl", "out.parquet"]
        command += ["--allow-errors", "--yes"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
        assert set(server.keys) == {f"Bearer {KEY}"}
    # HTTP 401 is the pool's fault, so that nothing is recorded, and the reason is said once.
    assert done.returncode == 1, done.stderr
    assert b"'quotes the key' was given up: HTTP 401: " in done.stderr
    assert b"bad key Bearer [key]" in done.stderr
    assert (tmp_path / "out.parquet.journal.sqlite").exists()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    for content in (*written, done.stdout, done.stderr):
        assert KEY.encode() not in content


def test_a_key_in_an_error_that_is_recorded_reaches_no_journal_and_no_table(tmp_path: Path, monkeypatch):
    """Of a refusal that is the query's own, the journal and the table hold the error."""
    monkeypatch.setenv("MY_KEY", KEY)
    with faulty_server() as server:
        answer = json.dumps({"error": f"cannot answer Bearer {KEY}"}).encode()
        server.raw = [b"HTTP/1.1 400 Bad\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer)]
        llm = replace(LLM, base_url=server.base_url, served_name="raw", api_key_env="MY_KEY")
        queries = QuerySet([Query("q", "art", "test", "Who?", ("Dürer",))])
        done = record(Pool("p", (llm,)), queries, tmp_path / "out.parquet", repeats=1, allow_errors=True)
    assert done.table is not None
    assert done.table.text("error", 0, 0, 0) == 'HTTP 400: {"error": "cannot answer Bearer [key]"}'
    assert "[key]" in (journal_files.rows(done.journal)[0].error or "")
    for path in tmp_path.rglob("*"):
        assert KEY.encode() not in path.read_bytes()


QUERIES = QuerySet([Query("q", "art", "test", "Who?", ("Paris.",))])


def with_secrets(key: str, base_url: str, **fields: Any) -> Pool:
    """Return a pool of an LLM that gets a key in the body, in headers, in an address and in a table as text."""
    request = {
        "api_key": key,
        "extra_headers": {"Authorization": f"Bearer {key}"},
        "tools": [{"type": "mcp", "server_url": f"https://me:{key}@host/mcp?key={key}"}],
        "extra": json.dumps({"auth": {"token": key}}),
    }
    fields = {"served_name": "good", **fields}
    return Pool("p", (replace(LLM, base_url=base_url, request=request, **fields),))


def test_secrets_of_a_request_reach_no_journal_and_another_key_strands_nothing(tmp_path: Path):
    with faulty_server() as server:
        record(with_secrets(KEY, server.base_url), QUERIES, tmp_path / "out.parquet", repeats=1)
        for path in tmp_path.iterdir():
            assert KEY.encode() not in path.read_bytes()
        done = record(with_secrets(OTHER, server.base_url), QUERIES, tmp_path / "out.parquet", repeats=2, resume=True)
        assert (done.n_recorded, done.n_lost) == (2, 0)
        assert [request["api_key"] for request in server.requests] == [KEY, OTHER]
        with pytest.raises(ValueError, match="with temperature 0, now it is None") as refused:
            record(
                with_secrets(OTHER, server.base_url, omit=["temperature"]),
                QUERIES,
                tmp_path / "out.parquet",
                resume=True,
            )
    assert OTHER not in str(refused.value)


def test_a_journal_of_an_earlier_version_goes_on_and_its_secrets_are_not_said(tmp_path: Path, monkeypatch):
    """It knows its outcomes by all that was sent: they are found, and are not paid for again."""
    with faulty_server() as server:
        with monkeypatch.context() as earlier:
            earlier.setattr(provenance, "told_identity", dict)
            record(with_secrets(KEY, server.base_url), QUERIES, tmp_path / "out.parquet", repeats=1)
        done = record(with_secrets(OTHER, server.base_url), QUERIES, tmp_path / "out.parquet", repeats=1, resume=True)
        assert (done.n_recorded, len(server.requests)) == (1, 1)
        assert export_journal(done.journal, tmp_path / "rows.csv", QUERIES).n_rows == 1
        pool = with_secrets(OTHER, server.base_url, omit=["temperature"])
        with pytest.raises(ValueError, match="with temperature 0, now it is None") as refused:
            record(pool, QUERIES, tmp_path / "out.parquet", resume=True)
    assert KEY not in str(refused.value)


def test_what_holds_no_secret_decides_as_before():
    request = {"stop_token_ids": [1, 2], "top_p": 0.9, "stop": ["What?"], "chat_template_kwargs": {"think": False}}
    system = 'Say {"key": "https://host/a?b=c"}.'
    pool = Pool("p", (replace(LLM, request=request, system=system),))
    assert answer_identities(pool) == {
        "a": {
            "model": "a",
            "messages": [{"role": "system", "content": system}],
            "temperature": 0,
            "max_tokens": 256,
            **request,
        }
    }


@pytest.mark.parametrize(("name", "value"), [("stop_token_ids", [1, 2]), ("eos_token_id", 2)])
def test_numbers_of_tokens_are_no_secrets_and_texts_of_that_name_may_be(name: str, value: Any):
    assert without_secrets({name: value}) == {name: value}
    assert without_secrets({name: KEY}) == without_secrets({name: [KEY]}) == {name: "[hidden]"}


@pytest.mark.parametrize("quoted", [KEY, f"Bearer {KEY}", f"https://host/mcp?key={KEY}", f"https://me:{KEY}@host/mcp"])
def test_a_secret_of_the_request_that_a_server_quotes_is_blanked(quoted: str):
    (llm,) = with_secrets(KEY, "http://127.0.0.1:1/v1").llms
    shown = Endpoint(llm, llm.base_url, stream=False, deadline_s=1.0).shown(f"HTTP 403: bad key {quoted}")
    assert KEY not in shown
    assert shown.startswith("HTTP 403: bad key ")


@pytest.mark.parametrize(
    "requests",
    [
        [{"thinking_token_budget": 1024}, {"thinking_token_budget": 8192}],
        [{"stop": ["https://x/?a"]}, {"stop": ["https://x/?b"]}],
        [{"structured_outputs": {"regex": "//a?b"}}, {"structured_outputs": {"regex": "//a?c"}}],
        [{"response_format": {"schema": {"properties": {"key": {"type": kind}}}}} for kind in ("string", "integer")],
        [{"hf_overrides": '{"num_key_value_heads": 2}'}, {"hf_overrides": '{"num_key_value_heads": 8}'}],
    ],
)
def test_two_requests_that_answer_otherwise_are_two_whatever_they_are_called(requests: list[dict[str, Any]]):
    first, second = (answer_identities(Pool("p", (replace(LLM, request=request),)))["a"] for request in requests)
    assert first != second
    (llm,) = Pool("p", (replace(LLM, request={"thinking_token_budget": 1024}),)).llms
    assert "1024" in Endpoint(llm, "http://127.0.0.1:1/v1", stream=False, deadline_s=1.0).shown("only 1024 are left")
