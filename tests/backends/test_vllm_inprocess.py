"""The in-process backend: refusals without vLLM, and (marked vllm) real LLMs against their HTTP servers."""

import pytest

from llm_routing_env.backends.vllm_http import VLLMHTTPBackend
from llm_routing_env.backends.vllm_inprocess import VLLMInProcessBackend
from llm_routing_env.pool import LLMSpec, Pool
from llm_routing_env.queries import Query


def test_an_llm_without_weights_is_refused():
    pool = Pool("p", (LLMSpec("remote", 1.0, 1.0, base_url="https://host/v1"),))
    with pytest.raises(ValueError, match="'remote' has no `model`"):
        VLLMInProcessBackend(pool)


def test_nothing_is_loaded_before_the_first_query():
    backend = VLLMInProcessBackend(Pool("p", (LLMSpec("a", 1.0, 1.0, model="no/such"),)))
    assert backend.llm_names == ("a",)
    backend.close()
    backend.close()


@pytest.mark.vllm
def test_text_and_tokens_equal_those_over_http(nano_inprocess, nano_servers, nano_queries):
    inprocess, http = VLLMInProcessBackend(nano_inprocess), VLLMHTTPBackend(nano_servers)
    for query in nano_queries:
        for llm in range(len(inprocess.llm_names)):
            here, there = inprocess.ask(query, llm), http.ask(query, llm)
            assert here.error is None
            assert here.response == there.response
            assert here.prompt_tokens == there.prompt_tokens
            assert here.completion_tokens == there.completion_tokens
            assert here.cost_usd == pytest.approx(there.cost_usd)
            assert here.time_to_first_token_s is not None
            assert 0 < here.time_to_first_token_s <= here.latency_s
    http.close()


@pytest.mark.vllm
def test_backends_share_engines_and_survive_a_close(nano_inprocess, nano_queries):
    first, second = VLLMInProcessBackend(nano_inprocess), VLLMInProcessBackend(nano_inprocess)
    expected = first.ask(nano_queries[0], 1).response
    first.close()
    first.close()
    assert second.ask(nano_queries[0], 1).response == expected
    assert first.ask(nano_queries[0], 1).response == expected


@pytest.mark.vllm
def test_a_prompt_that_is_too_long_is_an_outcome_with_an_error(nano_inprocess, nano_queries):
    backend = VLLMInProcessBackend(nano_inprocess)
    outcome = backend.ask(Query("long", "math", "test", "12 + 34 " * 500, ("46",)), 0)
    assert outcome.error is not None
    assert outcome.completion_tokens == 0
    assert [o.error for o in backend.ask_many([(nano_queries[0], 0), (nano_queries[1], 3)])] == [None, None]


@pytest.mark.vllm
def test_weights_that_cannot_be_loaded_are_named(nano_inprocess, tmp_path, nano_queries):
    (tmp_path / "empty").mkdir()
    pool = Pool("p", (LLMSpec("broken", 1.0, 1.0, model="empty"),), path=tmp_path / "pool.toml")
    with pytest.raises(RuntimeError, match="'broken'"):
        VLLMInProcessBackend(pool).ask(nano_queries[0], 0)
