"""The circuit breaker on a clock of its own."""

import pytest

from llm_routing_env.backends.circuit_breaker import MOST_FAILURES, PAUSE_S, CircuitBreaker

LONGEST_S = 30.0


def opened(at: float = 100.0) -> CircuitBreaker:
    """Return a breaker that the fifth failure in a row opened."""
    breaker = CircuitBreaker(LONGEST_S)
    for _ in range(MOST_FAILURES):
        assert breaker.wait_s(at) == 0
        breaker.note_sent(at)
        breaker.note_failure(at, at)
    return breaker


def test_it_opens_after_five_failures_in_a_row_for_ten_seconds():
    assert (MOST_FAILURES, PAUSE_S) == (5, 10)
    breaker = opened(at=100.0)
    assert breaker.wait_s(100.0) == 10
    assert breaker.wait_s(107.5) == 2.5
    assert breaker.wait_s(110.0) == 0


def test_an_answer_between_failures_keeps_it_closed():
    breaker = CircuitBreaker(LONGEST_S)
    for _ in range(5):
        for _ in range(4):
            breaker.note_failure(1.0, 1.0)
        breaker.note_good()
        assert breaker.wait_s(1.0) == 0


def test_one_probe_at_a_time_is_let_through_and_its_answer_closes_it():
    breaker = opened(at=100.0)
    breaker.note_sent(111.0)
    assert breaker.wait_s(111.0) > 0
    assert breaker.wait_s(140.0) > 0  # as long as it may be under way
    breaker.note_good()
    assert breaker.wait_s(112.0) == 0
    for _ in range(4):
        breaker.note_failure(113.0, 113.0)
    assert breaker.wait_s(113.0) == 0  # the count begins anew


def test_a_probe_that_fails_keeps_it_open_for_another_ten_seconds():
    breaker = opened(at=100.0)
    for sent_at in (111.0, 125.0):
        breaker.note_sent(sent_at)
        breaker.note_failure(sent_at, sent_at + 1)
        assert breaker.wait_s(sent_at + 1) == 10
        assert breaker.wait_s(sent_at + 11) == 0


def test_a_probe_that_is_never_heard_of_again_does_not_keep_it_open_for_ever():
    breaker = opened(at=100.0)
    breaker.note_sent(111.0)
    assert breaker.wait_s(111.0 + LONGEST_S) == 0


@pytest.mark.parametrize("sent_at", [90.0, 99.0])
def test_requests_that_were_in_flight_when_it_opened_do_not_keep_it_open(sent_at):
    breaker = opened(at=100.0)
    breaker.note_failure(sent_at, 109.0)
    assert breaker.wait_s(110.0) == 0
    breaker.note_sent(111.0)
    breaker.note_failure(sent_at, 112.0)
    assert breaker.wait_s(130.0) > 0  # the probe is still under way


def test_the_answer_to_a_request_that_was_in_flight_closes_it():
    breaker = opened(at=100.0)
    breaker.note_good()
    assert breaker.wait_s(101.0) == 0
