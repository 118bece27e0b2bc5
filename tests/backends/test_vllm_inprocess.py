"""The in-process backend: refusals without vLLM, and (marked vllm) real LLMs against their HTTP servers."""

import subprocess
import sys
from dataclasses import replace

import pytest

from llm_routing_env.backends import Request, ask, make_backend, vllm_inprocess
from llm_routing_env.pools.pool import LLMSpec, Pool, load_pool
from llm_routing_env.tables.queries import Query

vllm_inprocess_ask = vllm_inprocess._ask
LIMITED = replace(load_pool("nano").llms[3], max_in_flight=5)
QUERY = Query("q", "math", "test", "What is 12 + 34?", ("46",))


def test_an_llm_without_weights_is_refused():
    pool = Pool("p", (LLMSpec("remote", 1.0, 1.0, base_url="https://host/v1"),))
    with pytest.raises(ValueError, match="'remote' has no `model`"):
        make_backend("vllm-inprocess", pool)


def test_nothing_is_loaded_before_the_first_query_but_vllm_has_to_be_there(monkeypatch: pytest.MonkeyPatch):
    pool = Pool("p", (LLMSpec("a", 1.0, 1.0, model="no/such"),))
    monkeypatch.setattr(vllm_inprocess, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs vLLM: pip install \"llm-routing-env\[vllm\]\""):
        make_backend("vllm-inprocess", pool)
    monkeypatch.setattr(vllm_inprocess, "find_spec", lambda name: name)
    backend = make_backend("vllm-inprocess", pool)
    assert backend.llm_names == ("a",)
    backend.close()
    backend.close()


@pytest.mark.vllm
def test_a_process_with_engines_ends_without_a_word():
    command = [sys.executable, "-m", "llm_routing_env.cli", "demo", "--backend", "vllm-inprocess", "--length", "2"]
    ended = subprocess.run([*command, "--context", "math"], capture_output=True, text=True, check=True)
    assert "total reward" in ended.stdout
    assert "process_group" not in ended.stderr  # what NCCL warns of, and gloo fails on if it is ended twice
    assert "Traceback" not in ended.stderr


@pytest.mark.vllm
def test_text_and_tokens_equal_those_over_http(nano_inprocess, nano_servers, nano_queries):
    inprocess, http = make_backend("vllm-inprocess", nano_inprocess), make_backend("vllm", nano_servers)
    for query in nano_queries:
        for llm in range(len(inprocess.llm_names)):
            here, there = ask(inprocess, query, llm), ask(http, query, llm)
            assert here.error is None
            assert here.response == there.response
            assert here.prompt_tokens == there.prompt_tokens
            assert here.completion_tokens == there.completion_tokens
            assert here.cost_usd == pytest.approx(there.cost_usd)
            assert here.ttft_s is not None
            assert 0 < here.ttft_s <= here.latency_s
    http.close()


@pytest.mark.vllm
def test_each_llm_answers_all_of_its_queries_at_once_as_it_does_one_by_one(nano_inprocess, nano_queries, monkeypatch):
    backend = make_backend("vllm-inprocess", replace(nano_inprocess, llms=(*nano_inprocess.llms[:3], LIMITED)))
    requests = [Request(query, llm) for query in nano_queries for llm in range(len(backend.llm_names))]
    alone = [ask(backend, *request) for request in requests]
    batches: list[int] = []
    monkeypatch.setattr(
        vllm_inprocess, "_ask", lambda *call: (batches.append(len(call[2])), vllm_inprocess_ask(*call))[1]
    )
    together = dict(backend.ask_many(requests))
    n_queries = len(nano_queries)
    *limited, a, b, c = sorted(batches)  # how the limited one's are cut is a matter of moments
    assert (a, b, c) == (n_queries,) * 3
    assert (sum(limited), max(limited)) == (n_queries, 5)
    for number, outcome in enumerate(alone):
        assert (together[number].response, together[number].error) == (outcome.response, None)
        assert together[number].completion_tokens == outcome.completion_tokens
        assert 0 < together[number].ttft_s <= together[number].latency_s
    batches.clear()
    assert len(dict(backend.ask_many(requests[:8], concurrency=4))) == 8
    assert batches == [1] * 8


@pytest.mark.vllm
def test_backends_share_engines_and_survive_a_close(nano_inprocess, nano_queries):
    first, second = make_backend("vllm-inprocess", nano_inprocess), make_backend("vllm-inprocess", nano_inprocess)
    expected = ask(first, nano_queries[0], 1).response
    first.close()
    first.close()
    assert ask(second, nano_queries[0], 1).response == expected
    assert ask(first, nano_queries[0], 1).response == expected


@pytest.mark.vllm
def test_a_prompt_that_is_too_long_is_an_outcome_with_an_error(nano_inprocess, nano_queries):
    backend = make_backend("vllm-inprocess", nano_inprocess)
    too_long = replace(QUERY, prompt="12 + 34 " * 500)
    outcome = ask(backend, too_long, 0)
    assert outcome.error is not None
    assert outcome.completion_tokens == 0
    requests = [Request(nano_queries[0], 0), Request(too_long, 0), Request(nano_queries[1], 3), Request(QUERY, 0)]
    errors = {number: outcome.error for number, outcome in backend.ask_many(requests)}
    assert (errors.pop(1) is None, errors) == (False, {0: None, 2: None, 3: None})


@pytest.mark.vllm
def test_weights_that_cannot_be_loaded_are_named(nano_inprocess, tmp_path, nano_queries):
    (tmp_path / "empty").mkdir()
    pool = Pool("p", (LLMSpec("broken", 1.0, 1.0, model="empty"),), path=tmp_path / "pool.toml")
    with pytest.raises(RuntimeError, match="'broken'"):
        ask(make_backend("vllm-inprocess", pool), nano_queries[0], 0)
