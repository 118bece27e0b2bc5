"""What is sent again, when, and what `Retry-After` says."""

import email.utils
import random
import ssl
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import aiohttp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_routing_env.backends import retries
from llm_routing_env.backends.chat_completion import AnswerError
from llm_routing_env.backends.retries import StatusError, is_refusal, may_pass, pause_s, read_retry_after, was_sent

REFUSED = aiohttp.ClientConnectorError(Mock(), ConnectionRefusedError("refused"))
BAD_CERTIFICATE = aiohttp.ClientConnectorCertificateError(Mock(), ssl.SSLCertVerificationError("expired"))


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_statuses_that_may_pass(status):
    assert may_pass(StatusError(status, ""))
    assert not is_refusal(StatusError(status, ""))


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 413, 422])
def test_statuses_that_will_not(status):
    assert not may_pass(StatusError(status, ""))
    assert is_refusal(StatusError(status, "")) == (status in (400, 413, 422))


@pytest.mark.parametrize(
    ("error", "again", "sent"),
    [
        (REFUSED, True, False),
        (aiohttp.ClientConnectorDNSError(Mock(), OSError("no such host")), True, False),
        (BAD_CERTIFICATE, False, False),
        (aiohttp.ServerDisconnectedError(), True, True),
        (aiohttp.ClientOSError(104, "reset by peer"), True, True),
        (aiohttp.ClientPayloadError("breaks off"), True, True),
        (ConnectionResetError("reset by peer"), True, True),
        (aiohttp.ClientResponseError(Mock(), (), message="no HTTP"), False, True),
        (AnswerError("not a chat completion"), False, True),
        (ValueError("chunk too big"), False, True),
    ],
)
def test_other_faults(error, again, sent):
    assert (may_pass(error), was_sent(error), is_refusal(error)) == (again, sent, False)


@pytest.mark.parametrize(("n_before", "bound"), [(0, 0.5), (1, 1.0), (2, 2.0), (4, 8.0), (5, 8.0), (90, 8.0)])
def test_pauses_are_uniform_below_a_bound_that_doubles(monkeypatch, n_before, bound):
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.5)
    rng = random.Random(7)
    pauses = np.array([pause_s(n_before, rng) for _ in range(4000)])
    assert (pauses.min() >= 0, pauses.max() <= bound) == (True, True)
    # The quartiles of a uniform distribution; one of 4000 draws is off by 0.007 (standard error).
    np.testing.assert_allclose(np.quantile(pauses / bound, [0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.035)


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [(None, 0), ("", 0), ("0", 0), ("3", 3), (" 120 ", 120), ("1.5", 1.5), ("-3", 0), ("soon", 0), ("inf", 0)],
)
def test_seconds_are_read(header, expected_s):
    assert read_retry_after(header) == expected_s


def test_so_many_digits_are_a_long_time():
    assert read_retry_after("9" * 5000) == float("inf")


def test_a_date_is_read():
    def after(seconds: float) -> str:
        return email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)

    assert 58 < read_retry_after(after(60)) <= 60  # the header has whole seconds
    assert read_retry_after(after(-60)) == 0


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, [0-9]+ (Jan|Dec) [0-9]+ [0-9:]+ ([A-Z]+|[+-][0-9]+)")))
def test_whatever_a_server_sends_is_a_number_of_seconds(header):
    assert read_retry_after(header) >= 0
