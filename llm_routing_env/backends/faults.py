"""What can come of a request instead of an answer, and what follows from it.

| What came of the request | Sent again | Costs | Whose fault |
|---|---|---|---|
| connection refused, no such host | yes | nothing: it was not sent | the LLM's |
| HTTP 429 | yes, once the LLM's pause is over | nothing | nobody's: it asks for patience |
| HTTP 408, 409 | yes | nothing | the LLM's |
| HTTP 500 and above | yes | its worst: it may be billed | the LLM's |
| connection reset or closed, a body that breaks off, no response within the deadline | yes | its worst | the LLM's |
| HTTP 400, 413, 422 | no | nothing | the request's: the same query would be refused again |
| any other HTTP status, such as 401 or 404; a bad certificate | no | nothing | the pool's: every query would be |
| an answer that is malformed, too long, without choices or without usage | no | its worst | the LLM's |

An error under status 200 that names such a code, as some proxies send it, counts as that status. No provider bills a
status of 400 to 499.
"""

import email.utils
import re
import time
from enum import Enum

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
_LONGEST_S = 1e9
_PASSING = frozenset({408, 409})
_REFUSING = frozenset({400, 413, 422})


class Kind(Enum):
    """What follows from a fault: may it pass, may it be billed, does it say that the LLM is down, was anything sent."""

    UNSENT = (True, False, True, False)
    BUSY = (True, False, False, True)
    PASSING = (True, False, True, True)
    BROKEN = (True, True, True, True)
    REFUSED = (False, False, False, True)
    LASTING = (False, False, True, True)
    USELESS = (False, True, True, True)

    def __init__(self, may_pass: bool, may_be_billed: bool, says_down: bool, was_sent: bool) -> None:
        self.may_pass, self.may_be_billed = may_pass, may_be_billed
        self.says_down, self.was_sent = says_down, was_sent


class RequestError(Exception):
    """A request came to nothing; the message says why, in one line without secrets.

    Attributes:
        kind: What follows from it.
        retry_after_s: Seconds for which the server asks to be left alone; 0 where it does not say.
    """

    def __init__(self, message: str, kind: Kind, retry_after_s: float = 0.0) -> None:
        """Keep the message and what follows from it."""
        super().__init__(message)
        self.kind, self.retry_after_s = kind, retry_after_s


class AnswerError(RequestError):
    """The server's answer is of no use."""

    def __init__(self, message: str) -> None:
        """Keep the message."""
        super().__init__(message, Kind.USELESS)


class StatusError(RequestError):
    """The server answered with an HTTP status other than 200.

    Attributes:
        status: The status.
    """

    def __init__(self, status: int, body: str, retry_after_s: float = 0.0) -> None:
        """Keep the status and what the server said."""
        super().__init__(f"HTTP {status}: {body}", _kind(status), retry_after_s)
        self.status = status


def _kind(status: int) -> Kind:
    if status == 429:
        return Kind.BUSY
    if status in _PASSING:
        return Kind.PASSING
    if status in _REFUSING:
        return Kind.REFUSED
    return Kind.BROKEN if status >= 500 else Kind.LASTING


def read_retry_after(header: str | None) -> float:
    """Return the seconds that a `Retry-After` header asks for, a number or a date; 0 for none and for nonsense."""
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _LONGEST_S)
    try:
        return min(max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time()), _LONGEST_S)
    except (ValueError, OverflowError, OSError):
        return 0.0
