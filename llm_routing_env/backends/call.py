"""One query on its way to an LLM: what sends it, and what has become of it so far."""

import math
import time
from dataclasses import dataclass, field
from typing import Protocol

from llm_routing_env.backends.chat_completion import Completion
from llm_routing_env.backends.faults import RequestError
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query


class DownOutcome(Outcome):
    """What comes of a request to an LLM that is down for good: nothing that could be kept."""

    __slots__ = ()


class Answerer(Protocol):
    """What sends a query to one of several LLMs, once; belongs to the event loop that it was made on."""

    async def complete(self, llm: int, query: Query) -> Completion:
        """Return the LLM's answer.

        Raises:
            RequestError: There is none.
        """

    async def close(self) -> None:
        """Release connections and engines."""


@dataclass(slots=True)
class Call:
    """What has become of one query so far.

    Attributes:
        query: The query.
        ends_at: The loop's time at which the outcome must be there; infinite for one that waits as long as it takes.
        asked_at: When it was asked, by `time.perf_counter`.
        sent_at: When its last request was sent, by the same clock; 0 before the first.
        latency_s: How long its last request took.
        n_attempts: How often it was sent.
        n_own_faults: How often it failed; of one that waits as long as it takes, while the LLM answered others.
        n_answers_before: How many requests the LLM had answered when the last one of this query failed.
        fault: Why the last request failed.
        attempt: The number of the last request in the journal, if it is not settled there.
        paid_usd: What the last request did cost.
    """

    query: Query
    ends_at: float
    asked_at: float = field(default_factory=time.perf_counter)
    sent_at: float = 0.0
    latency_s: float = 0.0
    n_attempts: int = 0
    n_own_faults: int = 0
    n_answers_before: int = 0
    fault: RequestError | None = None
    attempt: int | None = None
    paid_usd: float = 0.0

    @property
    def is_patient(self) -> bool:
        """Whether it waits as long as it takes."""
        return self.ends_at == math.inf

    @property
    def latest(self) -> float | None:
        """When it must be over, as asyncio's timeouts take it."""
        return None if self.is_patient else self.ends_at
