"""Shares of failed calls, by hand."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.failed_calls import FailedCalls


def counted(*calls, discount=1.0):
    """Return the counts of one session with two arms after calls, each an arm and whether it answered."""
    failed_calls = FailedCalls(1, 2, discount)
    for arm, is_answered in calls:
        failed_calls.update(np.array([arm]), np.array([is_answered]))
    return failed_calls


def test_one_failure_in_three_calls_is_one_in_three_and_those_granted():
    calls = [(0, True), (0, False), (0, True), *[(1, True)] * 5]
    granted = 4 * (1 + np.log(9))
    np.testing.assert_allclose(counted(*calls).shares(), [[1 / (3 + granted), 0.0]])


def test_before_any_failure_the_share_is_zero():
    assert not counted().shares().any()
    assert not counted((0, True), (1, True)).shares().any()


def test_who_never_answers_fails_in_nearly_all_calls():
    assert counted(*[(0, False)] * 1000).shares()[0, 0] > 0.95


def test_a_failure_counts_less_the_more_is_asked_elsewhere():
    shares = [counted((0, False), *[(1, True)] * n).shares()[0, 0] for n in (0, 10, 100, 1000)]
    assert (np.diff(shares) < 0).all()
    assert shares[-1] == pytest.approx(1 / (1 + 4 * (1 + np.log(1002))))


def test_calls_long_ago_count_less():
    failed_calls = counted((0, False), (0, True), (1, True), discount=0.5)
    np.testing.assert_array_equal(failed_calls.calls, [[0.75, 1.0]])
    np.testing.assert_array_equal(failed_calls.failures, [[0.25, 0.0]])


def test_sessions_count_apart():
    failed_calls = FailedCalls(2, 2, 1.0)
    failed_calls.update(np.array([0, 1]), np.array([False, True]))
    np.testing.assert_array_equal(failed_calls.calls, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(failed_calls.failures, [[1, 0], [0, 0]])


def test_a_new_arm_starts_without_calls():
    few, more = counted((0, False), (1, True)), FailedCalls(1, 3, 1.0)
    more.keep(few, np.array([2, 0]))
    np.testing.assert_array_equal(more.calls, [[1, 0, 1]])
    np.testing.assert_array_equal(more.failures, [[0, 0, 1]])
