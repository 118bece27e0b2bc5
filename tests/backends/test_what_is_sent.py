"""What is sent to an endpoint: everything that one may want can be said in the pool's file."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from faulty_server import QUERY, FaultyServer, faulty_server

from llm_routing_env.backends import Budget, Request, ask, make_backend
from llm_routing_env.pools.pool import load_pool
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query

PRICES = "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


def asked(server: FaultyServer, folder: Path, toml: str, query: Query = QUERY) -> Outcome:
    """Return the outcome of a query on an LLM with these keys."""
    path = folder / "pool.toml"
    path.write_text(f'name = "p"\n[[llm]]\nname = "good"\nbase_url = "{server.base_url}"\n{PRICES}{toml}\n')
    with closing(make_backend("vllm", load_pool(path))) as backend:
        return ask(backend, query, 0)


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("", {"temperature": 0, "max_tokens": 256}),
        ("max_tokens = 7", {"temperature": 0, "max_tokens": 7}),
        # OpenAI's current models
        ('omit = ["temperature"]\n[llm.request]\nmax_completion_tokens = 9', {"max_completion_tokens": 9}),
        (
            '[llm.request]\nreasoning_effort = "low"\nseed = 3\nstop = ["."]\ntemperature = 0.5',
            {"temperature": 0.5, "max_tokens": 256, "reasoning_effort": "low", "seed": 3, "stop": ["."]},
        ),
        (
            "[llm.request.chat_template_kwargs]\nenable_thinking = false",
            {"temperature": 0, "max_tokens": 256, "chat_template_kwargs": {"enable_thinking": False}},
        ),
        ('served_name = "good then good"', {"temperature": 0, "max_tokens": 256, "model": "good then good"}),
    ],
)
def test_the_body(server, tmp_path: Path, toml: str, expected: dict[str, Any]):
    assert asked(server, tmp_path, toml).error is None
    user = {"role": "user", "content": QUERY.prompt}
    assert server.requests == [{"model": "good", "messages": [user], **expected}]


def test_a_system_message_and_a_whole_chat(server, tmp_path: Path):
    chat = (("user", "Hello."), ("assistant", "Hello!"), ("user", "Who?"))
    query = Query("q", "art", "test", "Who?", ("me",), messages=chat)
    asked(server, tmp_path, 'system = "Be brief.\\nBe right."', query)
    expected = [{"role": "system", "content": "Be brief.\nBe right."}]
    assert server.requests[0]["messages"] == expected + [{"role": role, "content": text} for role, text in chat]


def test_headers_keys_by_any_name_and_parameters_behind_the_address(server, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("AZURE", " sesame\n")  # as files and pipes give it
    toml = (
        'headers = { X-Title = "router" }\nheaders_env = { api-key = "AZURE" }\nquery = { api-version = "2025-01-01" }'
    )
    assert asked(server, tmp_path, toml).error is None
    headers = server.headers[0]
    assert (headers["X-Title"], headers["api-key"]) == ("router", "sesame")
    assert server.paths == ["/v1/chat/completions?api-version=2025-01-01"]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('request = { model = "other" }', "'model' cannot be set or omitted"),
        ("request = { stream = true }", "'stream' cannot be set or omitted"),
        ('omit = ["messages"]', "'messages' cannot be set or omitted"),
        ("omit = [1]", "omit must be a list of texts"),
        ("omit = 3", "key 'omit' must be a list of texts, got 3"),
        ("request = { max_completion_tokens = 0 }", "request.max_completion_tokens must be a whole number, 1 or more"),
        ("request = { top_p = nan }", "request may hold texts, finite numbers"),
        ('headers = { a = "x\\ny" }', "headers.a must be text without control characters"),
        ("deadline_s = 0", "deadline_s must be a number from 0.001"),
        ("requests_per_minute = -1", "requests_per_minute must be a number from 0"),
        ("cached_price_usd_per_mtok = true", "'cached_price_usd_per_mtok' must be a number, got True"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(server, tmp_path: Path, toml: str, message: str):
    with pytest.raises(ValueError, match=message) as raised:
        asked(server, tmp_path, toml)
    assert "\n" not in str(raised.value)
    assert not server.requests


def test_cached_tokens_have_a_price_of_their_own(server, tmp_path: Path):
    """Of 2,000 tokens read 1,920 were cached: 80 at 1 USD a million, 1,920 at 0.1, and 5 written at 2."""
    toml = 'served_name = "cached"\n'
    outcome = asked(server, tmp_path, toml + "cached_price_usd_per_mtok = 0.1")
    assert (outcome.prompt_tokens, outcome.cached_tokens) == (2000, 1920)
    assert outcome.cost_usd == pytest.approx((80 * 1.0 + 1920 * 0.1 + 5 * 2.0) / 1e6)
    assert asked(server, tmp_path, toml).cost_usd == pytest.approx((2000 * 1.0 + 5 * 2.0) / 1e6)


def test_an_answer_that_was_cut_says_so(server, tmp_path: Path):
    outcome = asked(server, tmp_path, 'served_name = "cut"')
    assert (outcome.response, outcome.error, outcome.finish_reason) == ("", None, "length")
    assert (outcome.completion_tokens, outcome.reasoning_tokens) == (256, 256)


def test_requests_a_minute_are_spaced(server, tmp_path: Path):
    path = tmp_path / "pool.toml"
    path.write_text(
        f'name = "p"\n[[llm]]\nname = "good"\nbase_url = "{server.base_url}"\n{PRICES}requests_per_minute = 600\n'
    )
    with closing(make_backend("vllm", load_pool(path))) as backend:
        begun = time.monotonic()
        outcomes = dict(backend.ask_many([Request(QUERY, 0)] * 6))
    assert [outcome.error for outcome in outcomes.values()] == [None] * 6
    assert time.monotonic() - begun >= 0.5  # five spaces of 0.1 s
    assert max(outcome.latency_s for outcome in outcomes.values()) < 0.1  # waiting is not the LLM's latency


def test_a_free_llm_need_not_count_its_tokens(server, tmp_path: Path):
    free = "input_price_usd_per_mtok = 0\noutput_price_usd_per_mtok = 0\n"
    path = tmp_path / "pool.toml"
    path.write_text(f'name = "p"\n[[llm]]\nname = "no usage"\nbase_url = "{server.base_url}"\n{free}')
    with closing(make_backend("vllm", load_pool(path))) as backend:
        outcome = ask(backend, QUERY, 0)
    assert (outcome.response, outcome.error, outcome.cost_usd) == ("Paris.", None, 0)


def test_what_is_published_of_a_pool_holds_no_header(server, tmp_path: Path):
    from llm_routing_env.pools.provenance import describe_pool

    asked(server, tmp_path, 'headers = { Authorization = "Bearer sesame" }\nquery = { v = "sesame", version = "1" }')
    described = json.dumps(describe_pool(load_pool(tmp_path / "pool.toml")))
    assert "sesame" not in described
    assert '"version": "1"' in described


def test_of_an_endpoint_that_takes_no_longest_completion_what_a_request_costs_at_most_is_set_aside(
    server, tmp_path: Path
):
    """Its answers cost 0.0001 and a little: after the first, 0.5 more would exceed the budget of 0.5."""
    path = tmp_path / "pool.toml"
    keys = 'omit = ["max_tokens"]\nmax_request_usd = 0.5\n'
    path.write_text(f'name = "p"\n[[llm]]\nname = "good"\nbase_url = "{server.base_url}"\n{PRICES}{keys}')
    with closing(make_backend("vllm", load_pool(path), budget=Budget(max_usd=0.5))) as backend:
        outcomes = [ask(backend, QUERY, 0) for _ in range(2)]
    assert server.requests == [
        {"model": "good", "messages": [{"role": "user", "content": QUERY.prompt}], "temperature": 0}
    ]
    assert outcomes[0].error is None
    assert "the budget of $0.5 is used up" in (outcomes[1].error or "")
