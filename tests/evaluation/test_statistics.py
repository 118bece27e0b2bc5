"""Intervals: by hand, against brute force, and by how often they cover the truth."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from llm_routing_env.evaluation.intervals import NOTHING, bounds_shown, number, shown
from llm_routing_env.evaluation.statistics import (
    LIFETIMES,
    QUERIES,
    SESSIONS,
    TRAINING_SEEDS,
    Estimate,
    Floats,
    Resamples,
    interval,
    medians,
    pooled,
    widening,
)

N_TABLES = 500


def places(n_units: int, n_queries: int) -> np.ndarray:
    """Every unit has every query once."""
    return np.tile(np.arange(n_queries), (n_units, 1))


def test_a_mean_by_hand():
    values = np.array([[1.0, 2.0, 6.0, 3.0, 3.0], [2.0, 3.0, 4.0, 3.0, 3.0]])
    found = Resamples(5, 0).mean(values, places(2, 5), SESSIONS)
    assert found.mean == 3.0
    assert found.sources == (QUERIES, SESSIONS)
    assert [part.freedom for part in found.parts.values()] == [4, 1]


def test_deviations_are_as_wide_as_the_samples_own_standard_errors():
    """The bootstrap's variance of a mean is the squared standard error, once n - 1 draws are counted as n - 1."""
    rng = np.random.default_rng(0)
    queries, sessions = rng.normal(0, 1, 50), rng.normal(0, 2, 20)
    values = queries + sessions[:, None]
    parts = Resamples(50, 1).mean(values, places(20, 50), SESSIONS).parts
    assert parts[QUERIES].moved.std() == pytest.approx(queries.std(ddof=1) / math.sqrt(50), rel=0.05)
    assert parts[SESSIONS].moved.std() == pytest.approx(sessions.std(ddof=1) / math.sqrt(20), rel=0.05)


def test_a_query_that_is_asked_more_often_counts_more():
    """Sessions do not come to every query equally often: a resample's mean is over the answers it draws."""
    values, queries = np.array([[0.0, 0.0, 1.0, 1.0, 1.0, 1.0]]), np.array([[0, 0, 1, 2, 3, 4]])
    found = Resamples(5, 0).mean(values, queries, None)
    # Five draws of five queries, k of them the one that was asked twice in vain: (5 - k) right of 5 + k, less 4 of 6.
    moved = np.unique(np.round(found.parts[QUERIES].moved / math.sqrt(5 / 4), 12))
    expected = sorted((5 - k) / (5 + k) - 4 / 6 for k in range(6))
    np.testing.assert_allclose(moved, expected[-len(moved) :], atol=1e-12)
    assert len(moved) >= 5  # five times of five is rare


def test_differences_are_paired():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 10, (30, 40))
    resamples = Resamples(40, 0)
    ours, theirs = (resamples.mean(noise + lead, places(30, 40), SESSIONS) for lead in (0.5, 0.0))
    assert (ours - theirs).interval() == pytest.approx({"mean": 0.5, "low": 0.5, "high": 0.5})
    assert (ours * 2.0).interval()["mean"] == pytest.approx(2 * ours.mean)


def test_a_difference_has_every_source_of_chance_of_either():
    resamples = Resamples(10, 0)
    rng = np.random.default_rng(0)
    frozen = resamples.mean(rng.normal(size=(5, 10)), places(5, 10), TRAINING_SEEDS)
    fixed = resamples.mean(rng.normal(size=(1, 10)), places(1, 10), None)
    assert (fixed - frozen).sources == (QUERIES, TRAINING_SEEDS)
    np.testing.assert_array_equal((fixed - frozen).parts[TRAINING_SEEDS].moved, -frozen.parts[TRAINING_SEEDS].moved)


def test_contexts_count_equally_and_their_draws_add_up():
    small = Resamples(5, 0, "art").mean(np.array([[1.0, 2.0, 3.0, 4.0, 2.5]]), places(1, 5), None)
    large = Resamples(40, 0, "chess").mean(np.full((1, 40), 10.0), places(1, 40), None)
    both = pooled([small, large])
    assert both.mean == pytest.approx((2.5 + 10) / 2)
    np.testing.assert_allclose(both.parts[QUERIES].moved, small.parts[QUERIES].moved / 2)
    assert both.parts[QUERIES].freedom == pytest.approx(4)  # all of the variance is that of the small context


def test_freedoms_are_pooled_as_welch_and_satterthwaite_do():
    rng, sizes = np.random.default_rng(0), (5, 20)
    contexts = [Resamples(n, 0, str(n)) for n in sizes]
    means = [of.mean(rng.normal(size=(1, n)), places(1, n), None) for of, n in zip(contexts, sizes, strict=True)]
    one, other = (np.square(mean.parts[QUERIES].moved).mean() for mean in means)
    expected = (one + other) ** 2 / (one**2 / 4 + other**2 / 19)
    assert pooled(means).parts[QUERIES].freedom == pytest.approx(expected)
    alone = contexts[0].mean(np.ones((1, 5)), places(1, 5), None)
    single = Resamples(1, 0, "tiny").mean(np.ones((1, 1)), places(1, 1), None)
    assert pooled([alone, single]).interval() == {"mean": 1.0, "low": None, "high": None}


@pytest.mark.parametrize("sizes", [(5, 60), (6, 60, 60), (5, 5, 200)])
def test_small_contexts_widen_the_interval_of_all(sizes: tuple[int, ...]):
    contexts = [Resamples(n, 0, str(number)) for number, n in enumerate(sizes)]

    def an_llm(rng: np.random.Generator) -> Estimate:
        return pooled(
            [of.mean(rng.normal(size=(1, n)), places(1, n), None) for of, n in zip(contexts, sizes, strict=True)]
        )

    covered, told_apart = share(lambda rng: (an_llm(rng), an_llm(rng)), seed=4)
    assert covered >= 0.92
    assert told_apart <= 0.04


@pytest.mark.parametrize(("n_units", "n_queries", "units"), [(1, 5, SESSIONS), (5, 1, SESSIONS), (1, 4, None)])
def test_what_was_hardly_drawn_has_a_mean_and_no_interval(n_units: int, n_queries: int, units: str | None):
    found = Resamples(n_queries, 0).mean(np.full((n_units, n_queries), 0.75), places(n_units, n_queries), units)
    assert found.interval() == {"mean": 0.75, "low": None, "high": None}


def test_a_missing_value_leaves_nothing():
    assert Resamples(3, 0).mean(np.array([[1.0, np.nan, 2.0]]), places(1, 3), None).interval() == NOTHING
    assert interval(np.array([np.nan, 1.0])) == NOTHING


def test_student_t_over_the_normal_quantile():
    """Against tables of Student's t at 97.5 %."""
    for freedom, t in ((1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (29, 2.045), (1000, 1.962)):
        assert widening(freedom) * 1.959964 == pytest.approx(t, rel=1e-3)
    assert widening(1.5) == pytest.approx(6.35 / 1.96, rel=0.05)
    assert math.isnan(widening(0))


def test_the_median_is_of_all_sessions_those_that_never_commit_too():
    resamples = [Resamples(5, 0, "art"), Resamples(5, 0, "chess")]
    steps = [np.array([10.0, 20.0, np.inf]), np.array([30.0, 40.0, np.inf])]
    assert medians(steps, resamples)["mean"] == 30.0  # the third of six
    most_never = medians([np.array([10.0, np.inf, np.inf])], resamples[:1])
    assert most_never["mean"] is None
    assert most_never["high"] is None
    assert medians([np.full(9, 7.0)], resamples[:1]) == {"mean": 7.0, "low": 7.0, "high": 7.0}


def test_a_training_is_drawn_for_all_contexts_at_once():
    art, chess = Resamples(5, 0, "art"), Resamples(9, 0, "chess")
    np.testing.assert_array_equal(art.counts(TRAINING_SEEDS, 5), chess.counts(TRAINING_SEEDS, 5))
    assert not np.array_equal(art.counts(SESSIONS, 5), chess.counts(SESSIONS, 5))
    values = np.random.default_rng(0).normal(size=(5, 5))
    mean = pooled([context.mean(values, places(5, 5), TRAINING_SEEDS) for context in (art, Resamples(5, 0, "chess"))])
    assert mean.parts[TRAINING_SEEDS].freedom == 4
    assert 4 < mean.parts[QUERIES].freedom <= 8


def test_a_lifetime_is_drawn_for_all_contexts_at_once():
    art, chess = Resamples(5, 0, "art"), Resamples(5, 0, "chess")
    np.testing.assert_array_equal(art.counts(LIFETIMES, 5), chess.counts(LIFETIMES, 5))
    luck = np.tile(np.arange(8.0)[:, None], (1, 5))  # the same in both contexts
    both = pooled([context.mean(luck, places(8, 5), LIFETIMES) for context in (art, chess)])
    alone = art.mean(luck, places(8, 5), LIFETIMES)
    np.testing.assert_allclose(both.parts[LIFETIMES].moved, alone.parts[LIFETIMES].moved)
    assert both.parts[LIFETIMES].freedom == 7
    assert both.sources == (QUERIES, LIFETIMES)


@pytest.mark.parametrize(("n_lives", "of_life"), [(10, 0.1), (20, 0.3)])
def test_intervals_of_lifelong_agents_cover_other_queries_and_lifetimes(n_lives: int, of_life: float):
    """What a life has taught moves all its sessions, two of each context, by `of_life`."""
    n_queries, length = 50, 35
    resamples = [Resamples(n_queries, 0, context) for context in ("art", "chess")]

    def two_equal_agents(rng: np.random.Generator) -> tuple[Estimate, Estimate]:
        worths = [rng.normal(0, 0.5, n_queries) for _ in resamples]
        orders = [rng.permuted(places(2 * n_lives, n_queries), axis=1)[:, :length] for _ in resamples]
        asked = [order.reshape(n_lives, -1) for order in orders]
        agents = []
        for _ in range(2):
            luck = rng.normal(0, of_life, (n_lives, 1))
            drawn = [
                worth[order] + luck + rng.normal(0, 0.5, order.shape)
                for worth, order in zip(worths, asked, strict=True)
            ]
            agents.append(pooled([r.mean(v, q, LIFETIMES) for r, v, q in zip(resamples, drawn, asked, strict=True)]))
        return agents[0], agents[1]

    covered, told_apart = share(two_equal_agents, seed=5)
    assert 0.92 <= covered <= 0.98
    assert told_apart <= 0.04


def test_the_same_seed_gives_the_same_draws_in_any_order_of_asking():
    first, second = Resamples(20, 5), Resamples(20, 5)
    sessions = first.counts(SESSIONS, 10)
    first.counts(TRAINING_SEEDS, 5)
    second.counts(TRAINING_SEEDS, 5)
    second.counts(QUERIES, 20)
    np.testing.assert_array_equal(sessions, second.counts(SESSIONS, 10))
    assert not np.array_equal(sessions, Resamples(20, 6).counts(SESSIONS, 10))


def share(of: Callable[[np.random.Generator], tuple[Estimate, Estimate]], seed: int) -> tuple[float, float]:
    """Return how often an interval covers 0, the truth, and how often one of two equal agents is said to be better."""
    rng, covered, told_apart = np.random.default_rng(seed), 0, 0
    for _ in range(N_TABLES):
        ours, theirs = of(rng)
        mean, difference = ours.interval(), (ours - theirs).interval()
        covered += mean["low"] <= 0 <= mean["high"]
        told_apart += difference["low"] > 0
    return covered / N_TABLES, told_apart / N_TABLES


@pytest.mark.parametrize(("n_sessions", "n_contexts", "of_session"), [(10, 2, 0.1), (30, 1, 0.1), (20, 3, 0.3)])
def test_intervals_of_online_agents_cover_other_queries_and_sessions(n_sessions, n_contexts, of_session):
    """Queries differ by 0.5, sessions by `of_session`, answers by 0.5: what nano's learners look like, and worse."""
    n_queries, length = 50, 35
    resamples = [Resamples(n_queries, 0, str(context)) for context in range(n_contexts)]

    def two_equal_agents(rng: np.random.Generator) -> tuple[Estimate, Estimate]:
        pairs = []
        for context in resamples:
            worth = rng.normal(0, 0.5, n_queries)
            asked = rng.permuted(places(n_sessions, n_queries), axis=1)[:, :length]
            pairs.append([context.mean(rewards(rng, worth[asked]), asked, SESSIONS) for _ in range(2)])
        ours, theirs = zip(*pairs, strict=True)
        return pooled(ours), pooled(theirs)

    def rewards(rng: np.random.Generator, worth: Floats) -> Floats:
        return worth + rng.normal(0, of_session, (n_sessions, 1)) + rng.normal(0, 0.5, worth.shape)

    covered, told_apart = share(two_equal_agents, seed=1)
    assert 0.92 <= covered <= 0.98
    assert told_apart <= 0.04


@pytest.mark.parametrize("of_seed", [0.02, 0.1])
def test_intervals_of_frozen_agents_cover_other_queries_and_training_seeds(of_seed: float):
    """Training's chance moves the whole policy by `of_seed`, and each query's choice besides."""
    n_queries, n_seeds = 60, 5
    resamples = [Resamples(n_queries, 0, context) for context in ("art", "chess")]

    def two_equal_agents(rng: np.random.Generator) -> tuple[Estimate, Estimate]:
        worths = [rng.normal(0, 0.5, n_queries) for _ in resamples]
        agents = []
        for _ in range(2):
            luck = rng.normal(0, of_seed, (n_seeds, 1))
            values = [worth + luck + rng.normal(0, 0.1, (n_seeds, n_queries)) for worth in worths]
            means = [
                r.mean(v, places(n_seeds, n_queries), TRAINING_SEEDS) for r, v in zip(resamples, values, strict=True)
            ]
            agents.append(pooled(means))
        return agents[0], agents[1]

    covered, told_apart = share(two_equal_agents, seed=2)
    assert 0.92 <= covered <= 0.98
    assert told_apart <= 0.04


def test_intervals_of_single_llms_cover_other_queries():
    resamples = Resamples(40, 0)

    def two_llms(rng: np.random.Generator) -> tuple[Estimate, Estimate]:
        right = rng.random((2, 1, 40)) < 0.7
        ours, theirs = (resamples.mean(one - 0.7, places(1, 40), None) for one in right)
        return ours, theirs

    covered, told_apart = share(two_llms, seed=3)
    assert 0.92 <= covered <= 0.98
    assert told_apart <= 0.04


def test_a_number_does_not_depend_on_what_is_computed_beside_it():
    """To the last bit: no sum goes through a library whose order of summation follows the shape of the whole."""
    rng = np.random.default_rng(4)
    values, queries = rng.normal(size=(13, 7)), rng.integers(0, 11, (13, 7))
    alone = Resamples(11, 3).mean(values, queries, SESSIONS).interval()
    for n_beside in range(6):
        resamples = Resamples(11, 3)
        for _ in range(n_beside):
            resamples.mean(rng.normal(size=(13, 7)), queries, SESSIONS).interval()
        assert resamples.mean(values, queries, SESSIONS).interval() == alone


@pytest.mark.parametrize(
    ("value", "form", "expected"),
    [
        ((0.5, 0.4, 0.6), ".2f", "0.50 [0.40, 0.60]"),
        ((0.5, 0.5, 0.5), ".2f", "0.50"),
        ((0.5, None, None), ".2f", "0.50"),
        ((None, None, None), ".2f", "–"),
        ((0.5, -0.001, 0.6), "+.2f", "+0.50 [+0.00, +0.60]"),
    ],
)
def test_an_interval_without_width_is_never_written(value, form, expected):
    mean, low, high = value
    assert shown({"mean": mean, "low": low, "high": high}, form) == expected


def test_numbers_in_another_unit():
    assert shown({"mean": 0.5, "low": 0.4, "high": 0.6}, ".0f", 100) == "50 [40, 60]"
    assert bounds_shown({"mean": 0.5, "low": 0.4, "high": 0.6}, ".0f", 100) == "[40, 60]"
    assert number(-1e-9, ".3f") == "0.000"


def test_a_spread_whose_square_is_too_small_for_a_number_is_pooled_too():
    tiny = [Resamples(n, 0, str(n)).mean(1e-90 * np.arange(n)[None], places(1, n), None) for n in (5, 20)]
    assert 4 < pooled(tiny).parts[QUERIES].freedom < 23
    assert pooled(tiny).interval()["mean"] == pytest.approx(0.5 * 1e-90 * (2 + 9.5))
