"""Backends: where outcomes come from."""

from llm_routing_env.backends.base import Backend
from llm_routing_env.backends.scored import ScoredBackend
from llm_routing_env.backends.table import TableBackend
from llm_routing_env.errors import unknown_name
from llm_routing_env.pool import Pool

__all__ = ["BACKENDS", "Backend", "ScoredBackend", "TableBackend", "make_backend"]

BACKENDS = ("table", "vllm", "vllm-inprocess")


def make_backend(name: str, pool: Pool) -> Backend:
    """Return a live backend by name: "vllm" (HTTP endpoints) or "vllm-inprocess" (engines in this process)."""
    if name == "vllm":
        from llm_routing_env.backends.vllm_http import VLLMHTTPBackend

        return VLLMHTTPBackend(pool)
    if name == "vllm-inprocess":
        from llm_routing_env.backends.vllm_inprocess import VLLMInProcessBackend

        return VLLMInProcessBackend(pool)
    raise unknown_name("backend", name, BACKENDS)
