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
        latency_s: End-to-end seconds of the last request.
        accuracy: In [0, 1]; None where nothing has scored it yet.
        error: Why the call failed, else None.
        ttft_s: Seconds to the first token: measured on a stream, else what the server reports; None if neither.
        n_attempts: Requests sent for it: above 1 after retries, 0 if none was.
        wait_s: Seconds before the last request was sent: for a place in flight, for room in the budget, for retries.
        finish_reason: Why the LLM stopped, as it says: "stop", "length" (cut at `max_tokens`), ...; None if unknown.
        cached_tokens: Those of the prompt tokens that were read from the endpoint's cache.
        reasoning_tokens: Those of the completion tokens that were thoughts.
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
    wait_s: float = 0.0
    finish_reason: str | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
