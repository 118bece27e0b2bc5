"""The interface between the environment and whatever answers the queries."""

from typing import Protocol

from llm_routing_env.outcomes import Outcome
from llm_routing_env.queries import Query


class Backend(Protocol):
    """Answers queries: recorded outcomes (`TableBackend`) or LLMs served by vLLM."""

    @property
    def llm_names(self) -> tuple[str, ...]:
        """The LLMs, in action order."""

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        """Return the outcome of one query on one LLM.

        Args:
            query: The query.
            llm: Index into `llm_names`.
            repeat: Which recorded repeat to return; live backends ignore it.

        A failing LLM gives an outcome with `error` set, never an exception.
        """

    def close(self) -> None:
        """Release connections and engines; may be called twice."""
