"""Backends: where outcomes come from."""

from typing import TYPE_CHECKING

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.backends.base import MAX_IN_FLIGHT, Backend, Request, ask
from llm_routing_env.backends.budget import Budget
from llm_routing_env.backends.table import TableBackend
from llm_routing_env.pools.pool import Pool

if TYPE_CHECKING:  # recorded sessions need none of it, and start in half the time without
    from collections.abc import Callable

    from llm_routing_env.backends.asker import Asker
    from llm_routing_env.backends.call import Answerer
    from llm_routing_env.backends.journal import Journal

__all__ = ["BACKENDS", "MAX_IN_FLIGHT", "Backend", "Budget", "Request", "TableBackend", "ask", "make_backend"]

BACKENDS = ("table", "vllm", "vllm-inprocess")


def make_backend(
    name: str,
    pool: Pool,
    *,
    max_in_flight: int = MAX_IN_FLIGHT,
    stream: bool = False,
    budget: Budget | None = None,
    journal: "Journal | None" = None,
    is_patient: bool = False,
    retry_errors: bool = False,
) -> "Asker":
    """Return a live backend by name: "vllm" (HTTP endpoints) or "vllm-inprocess" (engines in this process).

    Args:
        name: The backend's name.
        pool: The LLMs.
        max_in_flight: Most requests at once.
        stream: For "vllm": have the responses streamed, which measures the time to the first token.
        budget: What may be spent; None: no bound.
        journal: Takes every outcome, and gives those it has.
        is_patient: Whether requests wait while an LLM is down, as a recording does.
        retry_errors: Whether journalled errors are asked for again.

    Raises:
        ValueError: For another name, or a stream in process, where the engines report that time by themselves.
        ServingError: If the pool is not being served.
    """
    from llm_routing_env.backends.asker import Asker

    answerer: Callable[[], Answerer]
    if name == "vllm":
        from llm_routing_env.backends.http_endpoints import http_answerer

        answerer = http_answerer(pool, max_in_flight=max_in_flight, stream=stream)
    elif name == "vllm-inprocess":
        from llm_routing_env.backends.vllm_inprocess import engine_answerer

        if stream:
            raise ValueError('stream=True is for backend "vllm"; "vllm-inprocess" gives ttft_s without it.')
        answerer = engine_answerer(pool)
    elif name == "table":
        raise ValueError('The backend "table" asks no LLM; the live ones are "vllm" and "vllm-inprocess".')
    else:
        raise unknown_name("backend", name, BACKENDS)
    return Asker(
        pool,
        answerer,
        max_in_flight=max_in_flight,
        budget=budget,
        journal=journal,
        is_patient=is_patient,
        retry_errors=retry_errors,
    )
