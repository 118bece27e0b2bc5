"""The interfaces between the environment and whatever answers the queries."""

from collections.abc import Generator, Iterable
from typing import NamedTuple, Protocol

from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query

MAX_IN_FLIGHT = 64
Answers = Generator[tuple[int, Outcome], None, None]
"""Outcomes as they come back, each with the number of its request."""


class Request(NamedTuple):
    """One query for one LLM.

    Attributes:
        query: The query.
        llm: Index into the backend's `llm_names`.
        repeat: For the how-many-eth time, from 0: which outcome of a table or a journal is meant; None: the next one.
    """

    query: Query
    llm: int
    repeat: int | None = None


class Backend(Protocol):
    """Answers queries: recorded outcomes (`TableBackend`) or LLMs served by vLLM (`Asker`)."""

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""

    def ask_many(self, requests: Iterable[Request]) -> Answers:
        """Ask several queries at the same time; yield each one's number and outcome as it comes back.

        A failing LLM gives an outcome with `error` set, never an exception. Closing the generator gives up on the
        requests that are not back.
        """

    def close(self) -> None:
        """Release connections and engines; may be called twice."""


def ask(backend: Backend, query: Query, llm: int, repeat: int | None = None) -> Outcome:
    """Return the outcome of one query on one LLM."""
    return dict(backend.ask_many([Request(query, llm, repeat)]))[0]
