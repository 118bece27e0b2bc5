"""The interfaces between the environment and whatever answers the queries."""

from collections.abc import Generator, Iterable
from typing import NamedTuple, Protocol

from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query

MAX_IN_FLIGHT = 64
Answers = Generator[tuple[int, Outcome], None, None]
"""Outcomes as they come back, each with the number of its request."""


class Request(NamedTuple):
    """One query for one LLM: what `Backend.ask` takes.

    Attributes:
        query: The query.
        llm: Index into the backend's `llm_names`.
        repeat: Which recorded repeat to return; live backends ignore it.
    """

    query: Query
    llm: int
    repeat: int = 0


class Backend(Protocol):
    """Answers queries: recorded outcomes (`TableBackend`) or LLMs served by vLLM."""

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the outcome of one query on one LLM; see `Request`.

        A failing LLM gives an outcome with `error` set, never an exception.
        """

    def close(self) -> None:
        """Release connections and engines; may be called twice."""


class LiveBackend(Backend, Protocol):
    """A backend whose LLMs work at their best when they are asked many queries at once."""

    def ask_many(self, requests: Iterable[Request], *, concurrency: int | None = None) -> Answers:
        """Ask several queries at the same time; yield each one's number and outcome as it comes back.

        Args:
            requests: What to ask. They are taken one after another, so they may depend on the outcomes so far.
            concurrency: Most requests taken and not yet back; None: all are taken at once, and those beyond what
                the backend keeps in flight wait for their place. The deadline of a request counts from its taking.

        Closing the generator gives up on the requests that are not back. `dict(backend.ask_many(requests))` has the
        outcomes by the place of their request.
        """


def check_concurrency(concurrency: int | None, max_in_flight: int) -> None:
    """Raise ValueError for a `max_in_flight` below 1, or a `concurrency` that it does not allow."""
    if max_in_flight < 1:
        raise ValueError(f"max_in_flight must be 1 or more, got {max_in_flight}.")
    if concurrency is not None and not 1 <= concurrency <= max_in_flight:
        raise ValueError(f"concurrency must be 1 to max_in_flight, which is {max_in_flight}; got {concurrency}.")
