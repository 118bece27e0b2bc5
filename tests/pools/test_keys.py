"""Keys among vLLM's flags, in any spelling that vLLM would take."""

import pytest

from llm_routing_env.pools.keys import key_fault


@pytest.mark.parametrize("flag", ["api-key", "api_key", "API-KEY", "--api-key", "apikey", "api-k", "api-key=sk-sesame"])
def test_an_api_key_is_refused_without_being_quoted(flag: str):
    fault = key_fault({"max-model-len": 256, flag: "sk-sesame"})
    assert fault is not None
    assert "api_key_env" in fault
    assert "sesame" not in fault


@pytest.mark.parametrize("flag", ["hf-token", "hf_token", "hf-tok", "hf-t", "hf-token=hf_sesame"])
def test_so_is_the_token_of_a_model_hub(flag: str):
    fault = key_fault({flag: "hf_sesame"})
    assert fault is not None
    assert "set HF_TOKEN" in fault
    assert "sesame" not in fault


@pytest.mark.parametrize(
    "serve", [{}, {"api-server-count": 2}, {"hf-token": True}, {"ssl-keyfile": "k.pem"}, {"hf-overrides": "{}"}]
)
def test_other_flags_are_not(serve: dict[str, object]):
    assert key_fault(serve) is None
