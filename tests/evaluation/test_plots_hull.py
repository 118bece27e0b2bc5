"""The hull of cost and quality and the area under it, against numbers by hand."""

import numpy as np
import pytest

from llm_routing_env.evaluation.plots.hull import aiq, non_decreasing_hull, quality_at

COSTS = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
QUALITIES = np.array([0.2, 0.5, 0.55, 0.8, 0.7])


def test_the_hull_leaves_out_what_is_below_it():
    # (3, 0.55) lies below the line from (2, 0.5) to (4, 0.8); (5, 0.7) is dearer and worse than (4, 0.8).
    np.testing.assert_array_equal(non_decreasing_hull(COSTS, QUALITIES), [[1, 0.2], [2, 0.5], [4, 0.8]])


def test_the_order_of_points_does_not_matter():
    order = [3, 0, 4, 2, 1]
    np.testing.assert_array_equal(
        non_decreasing_hull(COSTS[order], QUALITIES[order]), non_decreasing_hull(COSTS, QUALITIES)
    )


def test_of_points_of_one_cost_the_best_counts():
    np.testing.assert_array_equal(non_decreasing_hull(np.ones(3), np.array([0.3, 0.6, 0.1])), [[1, 0.6]])


def test_points_on_a_line_are_no_corners():
    np.testing.assert_array_equal(
        non_decreasing_hull(np.array([0.0, 1.0, 2.0]), np.array([0.0, 0.5, 1.0])), [[0, 0], [2, 1]]
    )


def test_the_area_by_hand():
    # From 1 to 2: 0.35; from 2 to 4: 1.3; flat from 4 to 5: 0.8; divided by 5.
    assert aiq(non_decreasing_hull(COSTS, QUALITIES), 5.0) == pytest.approx(2.45 / 5)


def test_a_free_and_perfect_point_has_an_area_of_one():
    assert aiq(non_decreasing_hull(np.zeros(1), np.ones(1)), 3.0) == 1.0


def test_quality_lies_on_the_hull_flat_beyond_it_and_nowhere_below_the_cheapest():
    found = quality_at(non_decreasing_hull(COSTS, QUALITIES), np.array([0.5, 1.5, 3.0, 9.0]))
    np.testing.assert_allclose(found, [np.nan, 0.35, 0.65, 0.8])
