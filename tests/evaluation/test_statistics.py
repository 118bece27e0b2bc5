"""Bootstrap intervals against theory and independent computations."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from scipy.stats import bootstrap, mannwhitneyu, trim_mean

from llm_routing_env.evaluation.statistics import NOTHING, Bootstrap, Interval, interval, intervals

Strata = list[np.ndarray]


def resamples(strata: Strata, seed: int = 0) -> Bootstrap:
    return Bootstrap([len(values) for values in strata], np.random.default_rng(seed))


def mean(strata: Strata, seed: int = 0) -> Interval:
    return resamples(strata, seed).mean(strata)


def bounds(interval: Interval) -> tuple[float | None, float | None]:
    return interval["low"], interval["high"]


def by_brute_force(statistic: Callable[..., float], *samples: Strata) -> np.ndarray:
    """The 95 % interval of a statistic, from drawing sessions within contexts, the same ones of every sample."""
    rng = np.random.default_rng(99)
    drawn = []
    for _ in range(2000):
        rows = [rng.integers(len(values), size=len(values)) for values in samples[0]]
        drawn.append(statistic(*([values[r] for values, r in zip(s, rows, strict=True)] for s in samples)))
    return np.percentile(drawn, [2.5, 97.5])


def scores(seed: int = 5, sizes: tuple[int, ...] = (30, 30, 30)) -> Strata:
    rng = np.random.default_rng(seed)
    return [rng.exponential(size=n) + context for context, n in enumerate(sizes)]


def test_the_interval_of_a_mean_agrees_with_scipys_bootstrap():
    values = np.random.default_rng(0).exponential(size=80)
    ours = mean([values])
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=20_000, rng=2).confidence_interval
    assert ours["mean"] == pytest.approx(values.mean())
    assert bounds(ours) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_contexts_count_equally_and_are_resampled_within():
    # No spread within a context, so no spread of the mean, whatever the contexts' sizes.
    assert mean([np.zeros(10), np.full(1_000, 2.0)]) == {"mean": 1.0, "low": 1.0, "high": 1.0}


def test_sessions_without_a_value_are_left_out():
    assert mean([np.array([1.0, np.nan, 3.0]), np.array([np.nan])])["mean"] == 2.0
    assert mean([np.array([np.nan])]) == NOTHING


def test_a_difference_is_paired():
    a, b = scores(), scores()
    shifted = [values + 0.1 for values in b]
    assert resamples(a).difference(shifted, a) == pytest.approx({"mean": 0.1, "low": 0.1, "high": 0.1})
    noisy = [values + rng.normal(0.1, 0.05, len(values)) for rng in (np.random.default_rng(3),) for values in a]
    ours = resamples(a).difference(noisy, a)
    theirs = by_brute_force(lambda x, y: np.mean([(i - j).mean() for i, j in zip(x, y, strict=True)]), noisy, a)
    assert bounds(ours) == pytest.approx(theirs, abs=0.003)


@pytest.mark.parametrize("sizes", [(80,), (7,), (1,), (2,), (3,), (5, 5, 5), (12, 12)])
def test_the_interquartile_mean_is_the_trimmed_mean_of_all_sessions(sizes: tuple[int, ...]):
    for values in (scores(sizes=sizes), [np.round(v) for v in scores(sizes=sizes)]):  # the latter has ties
        expected = trim_mean(np.concatenate(values), 0.25)
        assert resamples(values).iqm(values)["mean"] == pytest.approx(expected, abs=1e-12)


def test_the_interval_of_an_interquartile_mean_agrees_with_brute_force():
    values, rng = scores(), np.random.default_rng(99)
    drawn = np.concatenate([rng.choice(of_context, (4000, 30)) for of_context in values], axis=1)
    theirs = np.percentile(trim_mean(drawn, 0.25, axis=1), [2.5, 97.5])
    assert bounds(resamples(values).iqm(values)) == pytest.approx(theirs, abs=0.02)


def test_an_outlier_moves_the_mean_but_not_the_interquartile_mean():
    values = np.append(np.ones(19), 1_000.0)
    assert resamples([values]).iqm([values]) == {"mean": 1.0, "low": 1.0, "high": 1.0}


def won(a: Strata, b: Strata) -> float:
    """The share of pairs that A wins, pair by pair."""
    pairs = zip(a, b, strict=True)
    return float(np.mean([((x[:, None] > y).mean() + (x[:, None] >= y).mean()) / 2 for x, y in pairs]))


@pytest.mark.parametrize("decimals", [8, 0])  # none: most sessions tie
def test_the_probability_of_improvement_is_mann_whitneys(decimals: int):
    a, b = ([values.round(decimals) for values in scores(seed)] for seed in (1, 2))
    ours = resamples(a).probability_of_improvement(a, b)
    theirs = [mannwhitneyu(x, y).statistic / (len(x) * len(y)) for x, y in zip(a, b, strict=True)]
    assert ours["mean"] == pytest.approx(np.mean(theirs), abs=1e-12)
    assert bounds(ours) == pytest.approx(by_brute_force(won, a, b), abs=0.01)


def test_the_probability_of_improvement_at_its_ends():
    low, high = [np.zeros(5)], [np.ones(5)]
    of = resamples(low).probability_of_improvement
    assert of(high, low) == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert of(low, high) == {"mean": 0.0, "low": 0.0, "high": 0.0}
    assert of(low, low) == {"mean": 0.5, "low": 0.5, "high": 0.5}


def test_a_performance_profile_is_the_share_above_each_threshold():
    values, thresholds = [np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.4, 0.9])], [0.0, 0.3, 0.4, 0.9]
    profile = resamples(values).performance_profile(values, thresholds)
    np.testing.assert_allclose(profile.mean, [1, (1 / 4 + 1) / 2, (0 + 1 / 2) / 2, 0])
    sample = scores()
    ours = resamples(sample).performance_profile(sample, [1.5])
    theirs = by_brute_force(lambda drawn: np.mean([(v > 1.5).mean() for v in drawn]), sample)
    assert (ours.low[0], ours.high[0]) == pytest.approx(theirs, abs=0.02)


def test_a_ratio_keeps_the_measures_of_a_session_together():
    x = np.random.default_rng(0).uniform(1, 2, 30)
    ratio = resamples([x]).statistic([np.stack([3 * x, x], axis=1)], lambda means: means[..., 0] / means[..., 1])
    assert bounds(ratio) == pytest.approx((3.0, 3.0))


def test_the_intervals_cover_the_truth_about_as_often_as_they_say():
    """Two contexts of normal scores around 0 and 3, where A gets 0.5 more than B does."""
    rng, sizes, n_data_sets = np.random.default_rng(3), [40, 40], 300
    drawn = Bootstrap(sizes, np.random.default_rng(0))
    truths = {"mean": 2.0, "iqm": 2.0, "difference": 0.5, "won": NormalDist().cdf(0.5 / np.sqrt(2))}
    covered = dict.fromkeys(truths, 0)
    for _ in range(n_data_sets):
        a, b = ([rng.normal(centre, 1, 40) for centre in (shift, 3 + shift)] for shift in (0.5, 0.0))
        found = {
            "mean": drawn.mean(a),
            "iqm": drawn.iqm(a),
            "difference": drawn.difference(a, b),
            "won": drawn.probability_of_improvement(a, b),
        }
        for name, truth in truths.items():
            covered[name] += found[name]["low"] <= truth <= found[name]["high"]
    for name, count in covered.items():
        assert 0.90 <= count / n_data_sets <= 0.98, name


def test_the_same_seed_gives_the_same_intervals():
    a, b = scores(1), scores(2)

    def everything(seed: int) -> list[Interval]:
        drawn = resamples(a, seed)
        return [drawn.mean(a), drawn.iqm(a), drawn.difference(a, b), drawn.probability_of_improvement(a, b)]

    assert everything(1) == everything(1)
    assert all(one != other for one, other in zip(everything(1), everything(2), strict=True))


def test_one_session_has_intervals_without_width():
    one = [np.array([0.3]), np.array([0.5])]
    drawn = resamples(one)
    for found in (drawn.mean(one), drawn.iqm(one), drawn.difference(one, one)):
        assert found["low"] == found["mean"] == found["high"]


def test_intervals_of_rows_are_those_of_each_row():
    draws = np.random.default_rng(0).normal(size=(3, 100))
    draws[1, 5] = draws[2] = np.nan
    assert intervals(draws) == [interval(row) for row in draws]
    assert intervals(draws)[2] == NOTHING
