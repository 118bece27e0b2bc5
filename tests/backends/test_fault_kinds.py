"""What follows from a fault, and what `Retry-After` says."""

import email.utils
import ssl
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_routing_env.backends.faults import AnswerError, Kind, StatusError, read_retry_after
from llm_routing_env.backends.http_endpoints import _kind

REFUSED = aiohttp.ClientConnectorError(Mock(), ConnectionRefusedError("refused"))
BAD_CERTIFICATE = aiohttp.ClientConnectorCertificateError(Mock(), ssl.SSLCertVerificationError("expired"))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Kind.REFUSED) for status in (400, 413, 422)),
        *((status, Kind.LASTING) for status in (301, 307, 401, 403, 404, 405, 407)),
        *((status, Kind.PASSING) for status in (408, 409)),
        (429, Kind.BUSY),
        *((status, Kind.BROKEN) for status in (500, 502, 503, 504, 529)),
    ],
)
def test_statuses(status: int, kind: Kind):
    assert StatusError(status, "").kind is kind


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.LASTING, Kind.PASSING, Kind.BUSY])
def test_no_provider_bills_a_status_from_400_to_499(kind: Kind):
    assert not kind.may_be_billed
    assert kind.was_sent


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (REFUSED, Kind.UNSENT),
        (aiohttp.ClientConnectorDNSError(Mock(), OSError("no such host")), Kind.UNSENT),
        (BAD_CERTIFICATE, Kind.LASTING),
        (aiohttp.ClientHttpProxyError(Mock(), (), status=407), Kind.LASTING),
        (aiohttp.ServerDisconnectedError(), Kind.BROKEN),
        (aiohttp.ClientOSError(104, "reset by peer"), Kind.BROKEN),
        (aiohttp.ClientPayloadError("breaks off"), Kind.BROKEN),
        (ConnectionResetError("reset by peer"), Kind.BROKEN),
        (aiohttp.ClientResponseError(Mock(), (), message="no HTTP"), Kind.USELESS),
        (ValueError("chunk too big"), Kind.USELESS),
    ],
)
def test_what_aiohttp_raises(error: Exception, kind: Kind):
    assert _kind(error) is kind


def test_which_faults_pass_are_billed_say_that_the_llm_is_down_and_were_sent():
    assert {kind.name: kind.value for kind in Kind} == {
        "UNSENT": (True, False, True, False),
        "BUSY": (True, False, False, True),
        "PASSING": (True, False, True, True),
        "BROKEN": (True, True, True, True),
        "REFUSED": (False, False, False, True),
        "LASTING": (False, False, True, True),
        "USELESS": (False, True, True, True),
    }
    assert AnswerError("not a chat completion").kind is Kind.USELESS


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [(None, 0), ("", 0), ("0", 0), ("3", 3), (" 120 ", 120), ("1.5", 1.5), ("-3", 0), ("soon", 0), ("inf", 0)],
)
def test_seconds_are_read(header, expected_s):
    assert read_retry_after(header) == expected_s


def test_so_many_digits_are_a_long_time():
    assert read_retry_after("9" * 5000) == read_retry_after("Fri, 31 Dec 9999 23:59:59 GMT") == 1e9


def test_a_date_is_read():
    def after(seconds: float) -> str:
        return email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)

    assert 58 < read_retry_after(after(60)) <= 60  # the header has whole seconds
    assert read_retry_after(after(-60)) == 0


@given(st.one_of(st.text(), st.from_regex(r"[A-Z][a-z]{2}, [0-9]+ (Jan|Dec) [0-9]+ [0-9:]+ ([A-Z]+|[+-][0-9]+)")))
def test_whatever_a_server_sends_is_a_number_of_seconds(header):
    assert read_retry_after(header) >= 0
