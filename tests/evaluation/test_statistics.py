"""Bootstrap intervals against theory and an independent computation."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from llm_routing_env.evaluation.statistics import mean_interval, ratio_interval


def test_the_interval_of_a_mean_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(0).exponential(size=80)
    ours = mean_interval([values], np.random.default_rng(1))
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=2).confidence_interval
    assert ours["mean"] == pytest.approx(values.mean())
    assert ours["low"] == pytest.approx(theirs.low, abs=0.015)
    assert ours["high"] == pytest.approx(theirs.high, abs=0.015)


def test_strata_count_equally_and_are_resampled_within():
    interval = mean_interval([np.zeros(10), np.full(1_000, 2.0)], np.random.default_rng(0))
    # No spread within a context, so no spread of the mean, whatever the contexts' sizes.
    assert interval == {"mean": 1.0, "low": 1.0, "high": 1.0}


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        interval = mean_interval([rng.normal(size=50)], rng)
        hits += interval["low"] <= 0 <= interval["high"]
    assert 0.90 <= hits / 300 <= 0.98


def test_sessions_without_a_value_are_left_out():
    assert mean_interval([np.array([1.0, np.nan, 3.0])], np.random.default_rng(0))["mean"] == 2.0
    nothing = mean_interval([np.array([np.nan])], np.random.default_rng(0))
    assert nothing == {"mean": None, "low": None, "high": None}


def test_a_ratio_keeps_the_measures_of_a_session_together():
    x = np.random.default_rng(0).uniform(1, 2, 30)
    paired = np.stack([3 * x, x], axis=1)
    interval = ratio_interval([paired], lambda means: means[..., 0] / means[..., 1], np.random.default_rng(1))
    assert interval["low"] == pytest.approx(3.0) == interval["high"]


def test_the_same_generator_gives_the_same_interval():
    values = [np.random.default_rng(0).normal(size=20)]
    assert mean_interval(values, np.random.default_rng(1)) == mean_interval(values, np.random.default_rng(1))
    assert mean_interval(values, np.random.default_rng(1)) != mean_interval(values, np.random.default_rng(2))
