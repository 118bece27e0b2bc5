"""Intervals of comparisons by preference hold what they say, by theory, and volumes are those of one set at a time."""

from types import SimpleNamespace

import numpy as np
import pytest

from llm_routing_env.evaluation.front_intervals import FrontIntervals, hypervolumes
from llm_routing_env.evaluation.pareto import hypervolume


def intervals_of(*sizes, seed=0):
    """Return the intervals over contexts of so many queries, which count equally."""
    weights = np.repeat([1 / (len(sizes) * size) for size in sizes], sizes)
    names = tuple(f"context {number}" for number in range(len(sizes)))
    return FrontIntervals(SimpleNamespace(sizes=list(sizes), weights=weights), names, seed)


def test_five_trainings_hold_the_truth_as_often_as_student_says():
    """Queries do not matter here: percentiles of resampled means alone hold it in 86 %."""
    rng, over, n = np.random.default_rng(1), intervals_of(20), 400
    n_hit = 0
    for trained in rng.normal(size=(n, 5)):
        found = over.interval(np.tile(trained, (len(over.weights), 1)))
        n_hit += found["low"] <= 0 <= found["high"]
    assert n_hit / n == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / n) ** 0.5)


def test_queries_and_trainings_are_added():
    """Student's 97.5 % quantile of 4 degrees of freedom is 2.776 and of 199 it is 1.972; variances add."""
    rng, over = np.random.default_rng(2), intervals_of(200)
    of_query, of_training = rng.normal(size=200), rng.normal(scale=0.1, size=5)
    alone = over.interval((over.weights @ of_query)[:, None])
    half_alone = 1.972 * of_query.std(ddof=1) / 200**0.5
    assert alone["high"] - alone["mean"] == pytest.approx(half_alone, rel=0.1)
    both = over.interval(over.weights @ of_query[:, None] + of_training)
    half = np.hypot(half_alone, 2.776 * of_training.std(ddof=1) / 5**0.5)
    assert both["mean"] == pytest.approx(of_query.mean() + of_training.mean())
    assert (both["high"] - both["low"]) / 2 == pytest.approx(half, rel=0.1)


def test_contexts_count_equally_and_too_few_queries_say_nothing_of_others():
    values = np.arange(10.0)  # 0 to 4 in the first context, 5 to 9 in the other
    found = intervals_of(5, 5)
    assert found.interval((found.weights @ values)[:, None])["mean"] == pytest.approx(4.5)
    assert found.interval((found.weights @ values)[:, None])["low"] < 4.5
    few = intervals_of(6, 4)
    assert few.interval((few.weights @ values)[:, None]) == {"mean": pytest.approx(5.0), "low": None, "high": None}


def test_volumes_are_those_of_one_set_at_a_time():
    points = np.random.default_rng(3).normal(size=(4, 3, 9, 3)).round(1)  # with ties, and points that are not above
    reference = np.array([-0.5, -0.2, 0.0])
    one_by_one = [[hypervolume(of_one, reference) for of_one in each] for each in points]
    np.testing.assert_allclose(hypervolumes(points, reference), one_by_one)
    # Two boxes, 2 by 1 by 1 and 1 by 2 by 1, that share 1 by 1 by 1.
    assert hypervolumes(np.array([[2.0, 1, 1], [1, 2, 1]]), np.zeros(3)) == pytest.approx(3)
