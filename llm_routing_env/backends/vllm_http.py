"""The live backend: LLMs behind OpenAI-compatible HTTP endpoints, as vLLM serves them."""

from collections.abc import Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from llm_routing_env.backends.base import MAX_IN_FLIGHT, Answers, Request, check_concurrency
from llm_routing_env.backends.budget import Budget
from llm_routing_env.backends.endpoint import Endpoint
from llm_routing_env.backends.event_loop import Job, LoopThread
from llm_routing_env.backends.http_client import HTTPClient
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.serving.endpoints import read_endpoints
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query


class VLLMHTTPBackend:
    """Asks the LLMs of a pool over HTTP, at temperature 0.

    What may pass (a refused connection, HTTP 503, ...) is tried again, up to the pool's `max_retries` and within its
    deadline. An LLM that fails five times in a row is left alone for 10 s: its requests end at once as errors, until
    one that is let through as a probe is answered.

    Latency is what a user would see: from first sending the request to having the whole response; time that a request
    waits here for its first place in flight is not part of it. Requests run on an event loop in a background thread, so
    this works in Jupyter too; connections open at the first request and are kept for the next.

    Example:
        >>> backend = VLLMHTTPBackend(load_pool("nano"))  # doctest: +SKIP
        >>> backend.ask(query, llm=0).response  # doctest: +SKIP
    """

    def __init__(
        self,
        pool: Pool,
        *,
        max_in_flight: int = MAX_IN_FLIGHT,
        stream: bool = False,
        budget: Budget | None = None,
    ) -> None:
        """Find the endpoints; nothing is sent yet.

        Args:
            pool: The LLMs to ask; one with a `max_in_flight` of its own never gets more at once.
            max_in_flight: Most requests, and connections, at once.
            stream: Whether to have the responses streamed, which measures the time to the first token.
            budget: What retries are reserved in. The caller reserves what it asks for, and settles afterwards what an
                outcome's `n_attempts` requests could have cost.

        Raises:
            ServingError: The pool is not being served; names the command that serves it.
            ValueError: An API key is missing, or `max_in_flight` is below 1.
        """
        check_concurrency(None, max_in_flight)
        self.pool = pool
        self._max_in_flight = max_in_flight
        urls = read_endpoints(pool)
        self._endpoints = [
            Endpoint(pool, index, urls[name], stream=stream, budget=budget) for index, name in enumerate(pool.llm_names)
        ]
        self._loop = LoopThread(partial(_open_client, pool.llms, max_in_flight))

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""
        return self.pool.llm_names

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the outcome of one query on one LLM; `repeat` has no meaning here.

        Whatever goes wrong at the other end (refused, too slow, an HTTP error, nonsense) is in its `error`.
        """
        return dict(self.ask_many([Request(query, llm, repeat)]))[0]

    def ask_many(self, requests: Iterable[Request], *, concurrency: int | None = None) -> Answers:
        """Ask several queries at the same time; see `LiveBackend`.

        Raises:
            ValueError: If `concurrency` is below 1 or above `max_in_flight`.
        """
        check_concurrency(concurrency, self._max_in_flight)
        return self._loop.run_all(map(self._job, requests), concurrency)

    def close(self) -> None:
        """Close the connections; may be called twice. Happens by itself at the interpreter's exit."""
        self._loop.close()

    def _job(self, request: Request) -> Job[HTTPClient, Outcome]:
        def job(client: HTTPClient, taken_at: float) -> Coroutine[Any, Any, Outcome]:
            return self._endpoints[request.llm].ask(client, request.query.prompt, taken_at)

        return job


async def _open_client(llms: Sequence[LLMSpec], max_in_flight: int) -> HTTPClient:
    return HTTPClient(llms, max_in_flight)
