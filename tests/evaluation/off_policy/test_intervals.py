"""Intervals over queries: by hand, by clusters, for right and wrong."""

import math

import numpy as np
import pytest

from llm_routing_env.evaluation.off_policy import Logged
from llm_routing_env.evaluation.off_policy.importance import ips, snips
from llm_routing_env.evaluation.off_policy.intervals import (
    effective_sample_size,
    freedom,
    interval_of,
    standard_error,
    wilson,
)


def logged_of(value, queries=None, target=1.0, propensity=1.0) -> Logged:
    n = len(value)
    queries = np.arange(n) if queries is None else np.asarray(queries)
    weights = np.broadcast_to(target, n).astype(float)
    policy = np.stack([weights, 1 - weights], axis=1)
    chance = np.broadcast_to(propensity, n).astype(float)
    return Logged(np.asarray(value, float), np.zeros(n, int), chance, policy, queries, np.zeros((n, 2)))


def test_a_mean_of_two_sizes_has_students_interval():
    """Deviations all of size 1: 9 degrees of freedom, t = 2.262; standard error sqrt(10 / 9 / 10)."""
    found = interval_of(ips(logged_of([2.0, 4.0] * 5)), logged_of([2.0, 4.0] * 5))
    half = 2.262 * math.sqrt(1 / 9)
    assert (found["mean"], found["low"], found["high"]) == pytest.approx((3, 3 - half, 3 + half), rel=2e-3)


def test_steps_of_one_query_are_one_piece_of_evidence():
    values = np.array([2.0, 4.0, 5.0, 9.0, 1.0, 3.0])
    once = interval_of(ips(logged_of(values)), logged_of(values))
    often = logged_of(np.tile(values, 20), queries=np.tile(np.arange(6), 20))
    repeated = interval_of(ips(often), often)
    assert repeated == pytest.approx(once)


def test_few_large_deviations_count_as_few_queries():
    assert freedom(np.array([1.0, -1.0] * 10)) == pytest.approx(19)
    sums = np.array([3.0, -3.0] + [0.1, -0.1] * 9)
    kurtosis = 20 * 162.0018 / 18.18**2
    assert freedom(sums) == pytest.approx(40 / (kurtosis - 1))
    assert standard_error(sums) == pytest.approx(math.sqrt(18.18 / (20 * 19)))


def test_the_freedom_of_normal_numbers_is_their_number():
    sums = np.random.default_rng(0).standard_normal(100_000)
    assert freedom(sums) == pytest.approx(99_999, rel=0.03)


def test_right_and_wrong_have_wilsons_interval():
    """700 of 1,000 right, weights equal: Wilson's interval, a trifle wider for Student's t."""
    right = logged_of([1.0] * 700 + [0.0] * 300)
    found = interval_of(snips(right), right, is_share=True)
    assert (found["low"], found["high"]) == pytest.approx((0.6709, 0.7276), abs=3e-4)


def test_wilsons_interval_by_the_textbook():
    found = wilson(0.7, 10)
    assert (found["low"], found["high"]) == pytest.approx((0.3968, 0.8922), abs=1e-4)


def test_all_right_is_no_certainty():
    """20 pulls of weight 4, all right: n / (n + z^2) is the lower end."""
    found = logged_of([1.0] * 20, propensity=0.25)
    interval = interval_of(snips(found), found, is_share=True)
    assert interval["high"] == 1.0
    assert interval["low"] == pytest.approx(20 / (20 + 1.96**2), abs=1e-4)


def test_numbers_that_are_all_alike_have_no_interval():
    found = interval_of(snips(logged_of([0.3] * 20)), logged_of([0.3] * 20))
    assert found == {"mean": pytest.approx(0.3), "low": None, "high": None}


def test_tiny_numbers_keep_their_interval():
    costs = logged_of(np.array([1e-9, 2e-9] * 10))
    assert interval_of(ips(costs), costs)["low"] is not None


def test_four_queries_of_weight_say_nothing_of_others():
    few = logged_of(np.arange(20.0), target=np.array([1.0] * 4 + [0.0] * 16))
    assert interval_of(ips(few), few)["low"] is None


def test_effective_sample_size_counts_queries_by_weight():
    assert effective_sample_size(logged_of(np.zeros(8))) == pytest.approx(8)
    assert effective_sample_size(logged_of(np.zeros(4), target=np.array([1, 1, 0, 0]))) == pytest.approx(2)
    assert effective_sample_size(logged_of(np.zeros(8), queries=[0, 1] * 4)) == pytest.approx(2)
    assert effective_sample_size(logged_of(np.zeros(4), target=0.0)) == 0
