"""Which failed requests are sent again, and when.

| What came of the request | Sent again |
|---|---|
| connection refused, no such host | yes; nothing was sent, so nothing can have been paid for |
| connection reset or closed, body that breaks off | yes |
| HTTP 408, 409, 429, 500 and above, or such a code in an error under status 200 | yes, as OpenAI's own client does |
| any other HTTP status, such as 400, 401, 404 | no: it would be refused again |
| certificate that is not valid | no |
| no response within the deadline | no: no time is left |
| an answer that is malformed, too long, without choices or without usage | no: it is paid for, and would come again |

The pause before a retry is drawn from 0 to a bound that doubles each time ("full jitter": many clients that failed
together do not come back together). A `Retry-After` of the server is waited for first.
"""

import email.utils
import random
import re
import time

import aiohttp

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0
_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)
# The request itself is at fault, not who answers it.
_REFUSALS = frozenset({400, 413, 422})
_PASSING = frozenset({408, 409, 429})


class StatusError(Exception):
    """The server answered with an HTTP status other than 200.

    Attributes:
        status: The status.
        retry_after_s: Seconds for which the server asks to be left alone; 0 where it does not say.
    """

    def __init__(self, status: int, body: str, retry_after_s: float = 0.0) -> None:
        """Keep the status and what the server said."""
        super().__init__(f"HTTP {status}: {body}")
        self.status, self.retry_after_s = status, retry_after_s


def may_pass(error: Exception) -> bool:
    """Return whether the same request may do better a little later."""
    if isinstance(error, StatusError):
        return error.status in _PASSING or error.status >= 500
    if isinstance(error, aiohttp.ClientSSLError):
        return False
    return isinstance(error, aiohttp.ClientConnectionError | aiohttp.ClientPayloadError | ConnectionError)


def was_sent(error: Exception) -> bool:
    """Return whether the server may have got the request: False if there was no connection to send it on."""
    return not isinstance(error, aiohttp.ClientConnectorError)


def is_refusal(error: Exception) -> bool:
    """Return whether a server that works well found fault with this one request, such as too long a prompt."""
    return isinstance(error, StatusError) and error.status in _REFUSALS


def pause_s(n_before: int, rng: random.Random) -> float:
    """Return how long to wait before the next retry, after so many before it."""
    return rng.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**n_before))


def read_retry_after(header: str | None) -> float:
    """Return the seconds that a `Retry-After` header asks for, a number or a date; 0 for none and for nonsense."""
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return 0.0
