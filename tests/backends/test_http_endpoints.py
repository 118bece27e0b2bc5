"""The HTTP backend against a server that misbehaves, and (marked vllm) against real LLMs."""

import asyncio
import base64
import gc
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from faulty_server import BODIES, QUERY, FaultyServer, faulty_server, pool_of

from llm_routing_env.backends import Request, make_backend
from llm_routing_env.backends import ask as ask_one
from llm_routing_env.backends.http_endpoints import Endpoint
from llm_routing_env.pools.pool import Pool
from llm_routing_env.tables.outcome import Outcome


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


def ask(base_url: str, model: str, deadline_s: float = 5.0, **fields: object) -> Outcome:
    backend = make_backend("vllm", pool_of(base_url, model, deadline_s=deadline_s, **fields))
    try:
        return ask_one(backend, QUERY, 0)
    finally:
        backend.close()


def test_an_answer_becomes_an_outcome(server):
    outcome = ask(server.base_url, "good")
    assert outcome.error is None
    assert (outcome.response, outcome.prompt_tokens, outcome.completion_tokens) == ("Paris.", 100, 10)
    assert outcome.cost_usd == pytest.approx((100 * 0.5 + 10 * 2.0) / 1e6)
    assert outcome.latency_s > 0
    assert outcome.accuracy is None
    assert outcome.ttft_s is None


def test_the_request_asks_for_temperature_0_and_the_llms_own_length(server):
    ask(server.base_url, "other name", served_name="good")
    assert server.requests == [
        {
            "model": "good",
            "messages": [{"role": "user", "content": QUERY.prompt}],
            "temperature": 0,
            "max_tokens": 24,
        }
    ]


def test_a_reported_time_to_first_token_counts_the_queue(server):
    assert ask(server.base_url, "metrics").ttft_s == pytest.approx(0.015)


def test_a_stream_gives_the_same_outcome_and_the_time_to_the_first_token(server):
    backend = make_backend("vllm", pool_of(server.base_url, "metrics", "pauses"), stream=True)
    at_once, paused = ask_one(backend, QUERY, 0), ask_one(backend, QUERY, 1)
    backend.close()
    assert server.requests[0]["stream"] is True
    assert server.requests[0]["stream_options"] == {"include_usage": True}
    for outcome in (at_once, paused):
        assert outcome.error is None
        assert (outcome.response, outcome.prompt_tokens, outcome.completion_tokens) == ("Paris.", 100, 10)
        assert outcome.ttft_s is not None
        assert 0 < outcome.ttft_s <= outcome.latency_s
    # The role came at once, the text after 50 ms, its second half after another 50 ms.
    assert paused.ttft_s is not None
    assert 0.05 <= paused.ttft_s <= paused.latency_s - 0.025  # whoever is late reads both halves closer together


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("500", "HTTP 500: .*the engine.*is dead"),
        ("no usage", "no usage"),
        ("error event", "not a chat completion: .*out of memory"),
        ("malformed event", "not a chat completion: .*mess"),
        ("breaks off", "broke off after: .*Par"),
        ("half", "Payload"),
        ("ignores stream", "broke off"),
    ],
)
def test_a_fault_in_a_stream_is_an_outcome_with_an_error(server, model, error):
    backend = make_backend("vllm", pool_of(server.base_url, model), stream=True)
    outcome = ask_one(backend, QUERY, 0)
    backend.close()
    assert outcome.error is not None
    assert re.search(error, outcome.error), outcome.error
    assert "\n" not in outcome.error


def test_a_stream_without_a_token_has_no_time_to_one(server):
    backend = make_backend("vllm", pool_of(server.base_url, "null content"), stream=True)
    outcome = ask_one(backend, QUERY, 0)
    backend.close()
    assert (outcome.response, outcome.error, outcome.ttft_s) == ("", None, None)


def test_an_llm_paid_by_the_hour_costs_its_time(server):
    outcome = ask(server.base_url, "good", hardware_usd_per_hour=36.0)
    assert outcome.cost_usd == pytest.approx(outcome.latency_s * 0.01)


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("500", "HTTP 500: .*the engine.*is dead"),
        ("429", "HTTP 429: .*slow down"),
        ("not utf-8", "HTTP 500"),
        ("endless error", "HTTP 500: e+"),
        ("redirects", "HTTP 307"),
        ("malformed", "not a chat completion: .*mess"),
        ("empty", "not a chat completion"),
        ("packed", "not a chat completion"),
        ("html", "not a chat completion: <!doctype html>"),
        ("list", "not a chat completion"),
        ("no choices", "not a chat completion"),
        ("null message", "not a chat completion"),
        ("bad usage", "not a chat completion"),
        ("reset", "reset|disconnected|OSError"),
        ("hangs up", "disconnected"),
        ("half", "Payload"),
        ("resets half way", "Payload|reset"),
        ("not http", "BadStatusLine|ResponseError|ClientError|Bad"),
    ],
)
def test_a_fault_at_the_other_end_is_an_outcome_with_an_error(server, model, error):
    outcome = ask(server.base_url, model)
    assert outcome.error is not None
    assert re.search(error, outcome.error), outcome.error
    assert "\n" not in outcome.error
    assert len(outcome.error) <= 200
    assert (outcome.response, outcome.prompt_tokens, outcome.completion_tokens) == ("", 0, 0)
    assert outcome.cost_usd == 0
    assert outcome.latency_s > 0


def test_an_answer_without_usage_keeps_its_text_and_says_what_is_unknown(server):
    outcome = ask(server.base_url, "no usage")
    assert outcome.response == "Paris."
    assert outcome.error is not None
    assert "usage" in outcome.error


def test_an_answer_without_text_is_empty_and_no_fault(server):
    outcome = ask(server.base_url, "null content")
    assert (outcome.response, outcome.error) == ("", None)


@pytest.mark.parametrize("model", ["slow", "trickle"])
def test_an_llm_that_is_too_slow_is_given_up_at_the_deadline(server, model):
    outcome = ask(server.base_url, model, deadline_s=0.2)
    assert outcome.error == "no response within the deadline of 0.2 s"
    assert outcome.latency_s > 0.1  # from when it was sent, which is after it was taken


def test_a_refused_connection_is_an_outcome_with_an_error():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcome = ask(f"http://127.0.0.1:{port}/v1", "good")
    assert outcome.error is not None
    assert "Connect" in outcome.error


def test_an_unknown_host_is_an_outcome_with_an_error():
    outcome = ask("http://no-such-host.invalid/v1", "good", deadline_s=10)
    assert outcome.error is not None


def test_requests_share_a_connection_and_none_is_open_before_the_first(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good", "metrics"))
    assert server.connections == 0
    for llm in (0, 1, 0, 1):
        ask_one(backend, QUERY, llm)
    assert server.connections == 1
    backend.close()


def in_order(answers: Iterable[tuple[int, Outcome]]) -> list[Outcome]:
    outcomes = dict(answers)
    return [outcomes[number] for number in range(len(outcomes))]


def test_ask_many_numbers_the_outcomes_and_keeps_the_bound(server):
    backend = make_backend("vllm", pool_of(server.base_url, "a little slow", "500"), max_in_flight=4)
    outcomes = in_order(backend.ask_many([Request(QUERY, 0), Request(QUERY, 1)] * 8))
    backend.close()
    assert [outcome.error is None for outcome in outcomes] == [True, False] * 8
    assert 1 < server.most_in_flight <= 4
    assert server.connections <= 4


def test_ask_many_yields_outcomes_as_they_come_back(server):
    backend = make_backend("vllm", pool_of(server.base_url, "slow", "good"))
    answers = backend.ask_many([Request(QUERY, 0), Request(QUERY, 1)])
    assert next(answers)[0] == 1
    answers.close()  # gives up on the slow one
    backend.close()


def test_requests_are_taken_as_others_come_back(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good"))
    n_back = 0
    n_under_way = []

    def requests() -> Iterator[Request]:
        for number in range(10):
            n_under_way.append(number - n_back)
            yield Request(QUERY, 0)

    for _ in backend.ask_many(requests(), concurrency=3):
        n_back += 1
    backend.close()
    assert n_back == 10
    assert max(n_under_way) == 2  # with the one just taken: three


def test_an_llm_never_gets_more_at_once_than_its_own_limit_and_holds_up_no_other(server):
    slow, good = pool_of(server.base_url, "slow", "good").llms
    backend = make_backend("vllm", Pool("p", (replace(slow, max_in_flight=2), good)), max_in_flight=3)
    answers = backend.ask_many([Request(QUERY, 0)] * 10 + [Request(QUERY, 1)] * 3)
    assert {next(answers)[0] for _ in range(3)} == {10, 11, 12}
    answers.close()
    backend.close()
    assert server.most_in_flight_of == {"slow": 2, "good": 1}


def test_a_request_waiting_for_its_place_is_not_measured(server):
    backend = make_backend("vllm", pool_of(server.base_url, "a little slow"), max_in_flight=1)
    waiting_in_all_s = 0.05 * sum(range(10))
    latencies = [outcome.latency_s for outcome in in_order(backend.ask_many([Request(QUERY, 0)] * 10))]
    backend.close()
    assert sum(latencies) < waiting_in_all_s


def test_a_session_s_deadline_counts_from_when_its_requests_are_taken(server):
    pool = pool_of(server.base_url, "slow", deadline_s=0.2, hardware_usd_per_hour=1)
    backend = make_backend("vllm", pool, max_in_flight=2)
    outcomes = in_order(backend.ask_many([Request(QUERY, 0)] * 20))
    assert [outcome.error for outcome in outcomes[:2]] == ["no response within the deadline of 0.2 s"] * 2
    missed = "no place in flight within the deadline: raise max_in_flight"
    assert [outcome.error for outcome in outcomes[2:]] == [missed] * 18
    assert outcomes[-1].cost_usd == 0 < outcomes[0].cost_usd
    assert (outcomes[-1].n_attempts, outcomes[-1].latency_s) == (0, 0)
    assert outcomes[-1].wait_s >= 0.19  # by another clock than the deadline
    backend.close()


def test_a_recording_s_deadline_counts_from_the_place_in_flight(server):
    """Through its own queue no LLM can fail: 15 calls of 50 ms, one after another, with a deadline of 0.5 s."""
    pool = pool_of(server.base_url, "a little slow", deadline_s=0.5)
    backend = make_backend("vllm", pool, max_in_flight=1, is_patient=True)
    outcomes = in_order(backend.ask_many([Request(QUERY, 0)] * 15))
    backend.close()
    assert [outcome.error for outcome in outcomes] == [None] * 15
    assert max(outcome.wait_s for outcome in outcomes) > 0.6
    assert max(outcome.latency_s for outcome in outcomes) < 0.5


def test_of_requests_that_are_taken_one_after_another_each_has_its_own_deadline(server):
    """15 calls of 50 ms, one at a time, with a deadline of 0.5 s: the last is taken after 0.7 s."""
    backend = make_backend("vllm", pool_of(server.base_url, "a little slow", deadline_s=0.5), max_in_flight=1)
    outcomes = in_order(backend.ask_many([Request(QUERY, 0)] * 15, concurrency=1))
    backend.close()
    assert [outcome.error for outcome in outcomes] == [None] * 15


def test_an_llm_may_have_a_deadline_of_its_own(server):
    pool = pool_of(server.base_url, "slow", deadline_s=60)
    pool = replace(pool, llms=(replace(pool.llms[0], deadline_s=0.1),))
    backend = make_backend("vllm", pool)
    assert ask_one(backend, QUERY, 0).error == "no response within the deadline of 0.1 s"
    backend.close()


def test_a_fault_of_the_caller_gives_up_on_what_is_under_way(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good", "slow"))

    def requests() -> Iterator[Request]:
        yield from (Request(QUERY, 0), Request(QUERY, 1))
        raise KeyboardInterrupt

    answers = backend.ask_many(requests(), concurrency=2)
    assert next(answers)[0] == 0
    with pytest.raises(KeyboardInterrupt):
        next(answers)
    backend.close()


def test_ask_works_inside_a_running_loop(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good"))

    async def cell() -> Outcome:
        return ask_one(backend, QUERY, 0)

    assert asyncio.run(cell()).error is None
    backend.close()


def test_threads_may_share_a_backend(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good"))
    outcomes: list[Outcome] = []
    threads = [threading.Thread(target=lambda: outcomes.append(ask_one(backend, QUERY, 0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    backend.close()
    assert [outcome.error for outcome in outcomes] == [None] * 8


def test_close_ends_the_thread_and_may_be_repeated(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good"))
    backend.close()
    ask_one(backend, QUERY, 0)
    assert _loop_threads()
    backend.close()
    backend.close()
    assert not _loop_threads()
    assert ask_one(backend, QUERY, 0).error is None  # closed is not broken
    backend.close()


def test_a_forgotten_backend_closes_itself(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good"))
    ask_one(backend, QUERY, 0)
    del backend
    gc.collect()
    assert not _loop_threads()


def _loop_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pickllm-asker"]


def test_a_backend_left_open_ends_with_its_process_without_a_word(server):
    script = f"""
from llm_routing_env.backends import ask as ask_one
from llm_routing_env.backends import make_backend
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.queries import Query
pool = Pool("p", (LLMSpec("good", 1, 1, base_url="{server.base_url}"),))
backend = make_backend("vllm", pool)
print(ask_one(backend, Query("q", "c", "test", "?", ("!",)), 0).response)
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Paris.\n", "")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_gets_its_own_connections(server):
    backend = make_backend("vllm", pool_of(server.base_url, "good"))
    ask_one(backend, QUERY, 0)
    child = os.fork()
    if child == 0:
        os._exit(0 if ask_one(backend, QUERY, 0).error is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask_one(backend, QUERY, 0).error is None
    backend.close()


def test_the_key_is_sent_and_never_shown(server, monkeypatch):
    with pytest.raises(ValueError, match="MY_KEY"):
        ask(server.base_url, "good", api_key_env="MY_KEY")
    monkeypatch.setenv("MY_KEY", "sesame")
    outcome = ask(server.base_url, "quotes the key", api_key_env="MY_KEY")
    assert server.keys == ["Bearer sesame"]
    assert outcome.error is not None
    assert "HTTP 401" in outcome.error
    assert "sesame" not in outcome.error


@pytest.mark.parametrize("key", ["ses\name", "ses\x00ame"])
def test_a_key_that_cannot_be_sent_is_named_at_once(server, monkeypatch, key):
    monkeypatch.setattr("os.environ", {**os.environ, "MY_KEY": key})
    with pytest.raises(ValueError, match="MY_KEY has a line break or control character") as raised:
        ask(server.base_url, "good", api_key_env="MY_KEY")
    assert key not in str(raised.value)
    assert not server.requests


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_s_password_is_sent_to_it_and_never_shown(monkeypatch, scheme):
    """The proxy refuses, and quotes what it was told."""
    seen: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        seen.append(connection.recv(65536))
        body = b"http://alice:hunter2@proxy"
        head = b"HTTP/1.1 407 http://alice:hunter2@proxy\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(head + body)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        monkeypatch.setenv(f"{scheme}_proxy", f"http://alice:hunter2@127.0.0.1:{listener.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        outcome = ask(f"{scheme}://llm.invalid/v1", "good", max_retries=0)
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"alice:hunter2") in seen[0]
    assert outcome.error is not None
    assert "407" in outcome.error
    assert "hunter2" not in outcome.error


def test_a_proxy_may_have_no_scheme(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "alice:hunter2@" + server.base_url.removeprefix("http://").removesuffix("/v1"))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert ask("http://llm.invalid/v1", "good").error is None
    assert server.headers[0]["Proxy-Authorization"] == "Basic " + base64.b64encode(b"alice:hunter2").decode()


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://alice:hun/ter2@host:1",
            "http://alice:1/ter2@host:1",
            "http://alice:1#ter2@host",
            "alice:1?ter2@host",
        ),
        *("socks5://alice:hunter2@host", "http://alice:hunter2@", "http://alice:hunter2@host:many", "ter2 @host"),
        *("http://alice%3A:hunter2@host", "http://[hunter2"),
    ],
)
def test_a_proxy_that_cannot_be_is_refused_once_and_not_quoted(server, monkeypatch, address):
    monkeypatch.setenv("http_proxy", address)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r"http_proxy.* must look like") as refused:
        make_backend("vllm", pool_of("http://llm.invalid/v1", "good"))
    assert "ter2" not in str(refused.value)


def shown(monkeypatch: pytest.MonkeyPatch, text: str, **fields: object) -> str:
    """Return what is shown of a text by an endpoint behind a proxy with a password."""
    monkeypatch.setenv("http_proxy", "http://alice:hunter%2F2@proxy:3128")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (llm,) = pool_of("http://llm.invalid/v1", "good", **fields).llms
    return Endpoint(llm, llm.base_url, stream=False, deadline_s=1.0).shown(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bad hunter/2", "bad [key]"),
        ("bad alice:hunter/2", "bad [key]"),
        ("bad hunter%2F2", "bad [key]"),
        ("bad Basic " + base64.b64encode(b"alice:hunter/2").decode(), "bad Basic [key]"),
        ("bad signature s+g", "bad signature s+g"),  # of three letters
        ("bad code my+code or my%2Bcode", "bad code [key] or [key]"),
        ("api version 2025-01-01", "api version 2025-01-01"),
        ("X is sesame1, Y is sesame", "X is [key], Y is [key]"),
        ("Bearer token7", "Bearer [key]"),
        ("needs application/json", "needs application/json"),
    ],
)
def test_whatever_is_sent_beside_the_query_and_may_be_secret_is_blanked(monkeypatch, text, expected):
    query = {"sig": "s+g", "code": "my+code", "api-version": "2025-01-01"}
    headers = {"X": "sesame1", "Y": "sesame", "Authorization": "Bearer token7"}
    assert shown(monkeypatch, text, query=query, headers=headers) == expected


def test_of_a_redirect_the_parameters_are_not_shown(server):
    server.raw = [b"HTTP/1.1 307 Go\r\nLocation: http://host/there?state=sesame\r\nContent-Length: 0\r\n\r\n"]
    said = ask(server.base_url, "raw").error
    assert said == "HTTP 307: redirects to http://host/there; base_url must be the final address"


def test_why_an_answer_ended_is_shown_without_the_key_and_steers_no_terminal(server, monkeypatch):
    key = "sk-0123456789-0123456789-0123456789-0123456789"
    monkeypatch.setenv("MY_KEY", key)
    choice = {"finish_reason": f"\x1b[2J {key} {'x' * 100}", "message": {"content": "Paris."}}
    body = json.dumps({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}).encode()
    server.raw = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)]
    found = ask(server.base_url, "raw", api_key_env="MY_KEY").finish_reason
    assert found == "\\x1b[2J [key] " + "x" * 26


def test_a_look_up_that_takes_long_holds_up_no_exit(tmp_path):
    """A resolver that does not answer: the outcome comes at the deadline, and the process ends with its last line."""
    script = """
import socket, time
real = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest: time.sleep(30) if host == "llm.invalid" else real(host, *rest)
from llm_routing_env.backends import ask, make_backend
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.queries import Query
backend = make_backend("vllm", Pool("p", (LLMSpec("a", 1, 1, base_url="http://llm.invalid/v1"),), deadline_s=0.3))
print(ask(backend, Query("q", "c", "test", "?", ("!",)), 0).error)
backend.close()
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    # The connection and the whole request have the same deadline: which is noticed first is a matter of moments.
    said = ("ConnectionTimeoutError: Connection timeout to host", "no response within the deadline of 0.3 s")
    assert done.stdout.startswith(said)


def test_a_proxy_is_used_for_remote_endpoints_and_not_for_this_machine(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.base_url.removesuffix("/v1"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask("http://llm.invalid/v1", "good").error is None  # the proxy answers
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ask(server.base_url, "good").error is None


def test_bounds_that_cannot_be_are_refused(server):
    pool = pool_of(server.base_url, "good")
    with pytest.raises(ValueError, match="max_in_flight must be 1 or more, got 0"):
        make_backend("vllm", pool, max_in_flight=0)
    backend = make_backend("vllm", pool, max_in_flight=4)
    with pytest.raises(ValueError, match="concurrency must be 1 or more, got 0"):
        next(backend.ask_many([], concurrency=0))
    for llm in (1, -1):
        with pytest.raises(ValueError, match=f"llm must be 0 to 0, got {llm}"):
            ask_one(backend, QUERY, llm)


def test_every_body_of_the_faulty_server_is_tried():
    tried = {"good", "metrics", "no usage", "null content"}
    tried |= {"ignores stream"}
    tried |= {"500", "429", "not utf-8", "malformed", "list", "no choices", "null message", "bad usage"}
    tried |= {"empty", "endless error", "packed", "html"}
    tried |= {"cached", "cut"}  # test_what_is_sent
    assert set(BODIES) == tried


@pytest.mark.vllm
def test_real_llms_answer_over_http(nano_servers, nano_queries):
    backend = make_backend("vllm", nano_servers)
    for llm in range(len(backend.llm_names)):
        for query in nano_queries:
            outcome = ask_one(backend, query, llm)
            assert outcome.error is None
            assert outcome.prompt_tokens > 0
            assert 0 < outcome.completion_tokens <= nano_servers.llms[llm].max_tokens
            assert outcome.cost_usd > 0
            assert outcome.ttft_s is not None
            assert 0 < outcome.ttft_s <= outcome.latency_s
    backend.close()


@pytest.mark.vllm
def test_real_text_is_the_same_one_by_one_all_at_once_and_streamed(nano_servers, nano_queries):
    backend, streaming = make_backend("vllm", nano_servers), make_backend("vllm", nano_servers, stream=True)
    requests = [Request(query, llm) for query in nano_queries for llm in range(len(backend.llm_names))]
    alone = [ask_one(backend, *request) for request in requests]
    together = in_order(backend.ask_many(requests))
    streamed = in_order(streaming.ask_many(requests))
    for outcomes in (together, streamed):
        for field in ("response", "prompt_tokens", "completion_tokens", "error"):
            assert [getattr(o, field) for o in outcomes] == [getattr(o, field) for o in alone]
    assert all(0 < outcome.ttft_s <= outcome.latency_s for outcome in streamed)
    backend.close()
    streaming.close()


@pytest.mark.vllm
def test_a_prompt_that_is_too_long_is_an_outcome_with_an_error(nano_servers):
    backend = make_backend("vllm", nano_servers)
    outcome = ask_one(backend, replace(QUERY, prompt="12 + 34 " * 500), 0)
    assert outcome.error is not None
    assert outcome.error.startswith("HTTP 400")
    assert ask_one(backend, QUERY, 0).error is None
    backend.close()
