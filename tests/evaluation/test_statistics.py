"""Bootstrap intervals against theory and an independent computation."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from llm_routing_env.evaluation.statistics import Bootstrap


def mean(strata: list[np.ndarray], seed: int = 0) -> dict[str, float | None]:
    return Bootstrap([len(values) for values in strata], np.random.default_rng(seed)).mean(strata)


def test_the_interval_of_a_mean_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(0).exponential(size=80)
    ours = mean([values])
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=2).confidence_interval
    assert ours["mean"] == pytest.approx(values.mean())
    assert ours["low"] == pytest.approx(theirs.low, abs=0.02)
    assert ours["high"] == pytest.approx(theirs.high, abs=0.02)


def test_contexts_count_equally_and_are_resampled_within():
    # No spread within a context, so no spread of the mean, whatever the contexts' sizes.
    assert mean([np.zeros(10), np.full(1_000, 2.0)]) == {"mean": 1.0, "low": 1.0, "high": 1.0}


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    intervals = [mean([rng.normal(size=50)], seed) for seed in range(300)]
    covered = sum(interval["low"] <= 0 <= interval["high"] for interval in intervals)
    assert 0.90 <= covered / 300 <= 0.98


def test_sessions_without_a_value_are_left_out():
    assert mean([np.array([1.0, np.nan, 3.0]), np.array([np.nan])])["mean"] == 2.0
    assert mean([np.array([np.nan])]) == {"mean": None, "low": None, "high": None}


def test_a_ratio_keeps_the_measures_of_a_session_together():
    x = np.random.default_rng(0).uniform(1, 2, 30)
    resamples = Bootstrap([30], np.random.default_rng(1))
    interval = resamples.statistic([np.stack([3 * x, x], axis=1)], lambda means: means[..., 0] / means[..., 1])
    assert interval["low"] == pytest.approx(3.0) == interval["high"]


def test_the_same_seed_gives_the_same_interval():
    values = [np.random.default_rng(0).normal(size=20)]
    assert mean(values, 1) == mean(values, 1) != mean(values, 2)
