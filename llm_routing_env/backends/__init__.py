"""Backends: where outcomes come from."""

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.backends.base import MAX_IN_FLIGHT, Backend, LiveBackend, Request
from llm_routing_env.backends.budget import Budget
from llm_routing_env.backends.scored import ScoredBackend
from llm_routing_env.backends.table import TableBackend
from llm_routing_env.pools.pool import Pool

__all__ = [
    "BACKENDS",
    "MAX_IN_FLIGHT",
    "Backend",
    "Budget",
    "LiveBackend",
    "Request",
    "ScoredBackend",
    "TableBackend",
    "make_backend",
]

BACKENDS = ("table", "vllm", "vllm-inprocess")


def make_backend(
    name: str,
    pool: Pool,
    *,
    max_in_flight: int = MAX_IN_FLIGHT,
    stream: bool = False,
    budget: Budget | None = None,
) -> LiveBackend:
    """Return a live backend by name: "vllm" (HTTP endpoints) or "vllm-inprocess" (engines in this process).

    Args:
        name: The backend's name.
        pool: The LLMs.
        max_in_flight: Most requests at once.
        stream: For "vllm": have the responses streamed, which measures the time to the first token.
        budget: For "vllm": what retries are reserved in; "vllm-inprocess" has none.

    Raises:
        ValueError: For another name, or a stream in process, where the engines report that time by themselves.
        ServingError: If the pool is not being served.
    """
    if name == "vllm":
        from llm_routing_env.backends.vllm_http import VLLMHTTPBackend

        return VLLMHTTPBackend(pool, max_in_flight=max_in_flight, stream=stream, budget=budget)
    if name == "vllm-inprocess":
        from llm_routing_env.backends.vllm_inprocess import VLLMInProcessBackend

        if stream:
            raise ValueError('stream=True is for backend "vllm"; "vllm-inprocess" gives ttft_s without it.')
        return VLLMInProcessBackend(pool, max_in_flight=max_in_flight)
    if name == "table":
        raise ValueError('The backend "table" asks no LLM; the live ones are "vllm" and "vllm-inprocess".')
    raise unknown_name("backend", name, BACKENDS)
