"""A circuit breaker: an LLM that keeps failing is left alone for a while, and then tried with one request at a time."""

import math

MOST_FAILURES = 5
PAUSE_S = 10.0


class CircuitBreaker:
    """Opens after `MOST_FAILURES` failures in a row; an open one lets a probe through every `PAUSE_S`.

    The first probe that does not fail closes it. Times are of any one clock, in seconds.
    """

    def __init__(self, longest_s: float) -> None:
        """Begin closed, for requests that are over after `longest_s` at the latest."""
        self._longest_s = longest_s
        self._n_failures = 0
        self._opened_at = self._next_at = -math.inf

    def wait_s(self, now: float) -> float:
        """Return for how long no request may be sent; 0 if one may now."""
        return max(0.0, self._next_at - now)

    def note_sent(self, now: float) -> None:
        """Note that a request is sent; while the circuit is open it is the probe, and the others wait for it."""
        if self._n_failures >= MOST_FAILURES:
            # Not for ever: a probe whose caller gives up on it is never heard of again.
            self._next_at = now + self._longest_s

    def note_good(self) -> None:
        """Note that the LLM answered."""
        self._n_failures = 0
        self._opened_at = self._next_at = -math.inf

    def note_failure(self, sent_at: float, now: float) -> None:
        """Note that a request that was sent at `sent_at` has failed."""
        if sent_at < self._opened_at:
            return  # one of those in flight when the circuit opened: it says nothing new
        self._n_failures += 1
        if self._n_failures >= MOST_FAILURES:
            self._opened_at, self._next_at = now, now + PAUSE_S
