"""The outcome of one call: what an LLM gave for a query."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one LLM gave for one query.

    Attributes:
        response: The text; empty when the call failed.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        cost_usd: Price of the call in US dollars; the failed requests before a retry are not in it.
        latency_s: End-to-end seconds.
        accuracy: In [0, 1]; None where nothing has scored it yet.
        error: Why the call failed, else None.
        ttft_s: Seconds to the first token: measured on a stream, else what the server reports; None if neither.
        n_attempts: Requests sent for it: above 1 after retries, 0 if none was.
    """

    response: str
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    latency_s: float
    accuracy: float | None = None
    error: str | None = None
    ttft_s: float | None = None
    n_attempts: int = 1
