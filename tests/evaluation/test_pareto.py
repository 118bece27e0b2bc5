"""Fronts, hypervolumes and expected utilities by hand and from theory."""

import numpy as np
import pytest

from llm_routing_env.evaluation.pareto import even_preferences, expected_utility, hypervolume, pareto_front

STAIRS = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]])


def test_dominated_points_are_not_on_the_front_and_equal_ones_are():
    points = np.array([[1, 3], [2, 2], [2, 1], [2, 2], [0, 3], [3, 0]])
    assert pareto_front(points).tolist() == [True, True, False, True, False, True]


def test_a_point_best_in_one_objective_is_on_the_front():
    points = np.vstack([np.eye(3), np.zeros(3)])
    assert pareto_front(points).tolist() == [True, True, True, False]


def test_one_points_volume_is_its_box():
    assert hypervolume(np.array([[2.0, 3.0, 4.0]]), np.zeros(3)) == 24
    assert hypervolume(np.array([[2.0, 3.0, 4.0]]), np.array([1.0, 1.0, 1.0])) == 6
    assert hypervolume(np.array([[2.0], [5.0]]), np.array([1.0])) == 4


def test_boxes_that_overlap_count_once():
    assert hypervolume(STAIRS, np.zeros(2)) == 6  # 3 + 2 + 1
    # By inclusion and exclusion: 8 + 8 - 4.
    assert hypervolume(np.array([[4.0, 2.0, 1.0], [2.0, 2.0, 2.0]]), np.zeros(3)) == 12
    assert hypervolume(np.array([[2.0, 2.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0]]), np.zeros(4)) == 7  # 4 + 4 - 1


def test_the_volume_is_the_share_of_random_points_that_are_dominated():
    rng = np.random.default_rng(0)
    points, thrown = rng.random((12, 3)), rng.random((40_000, 3))
    share = (thrown[:, None] <= points).all(axis=2).any(axis=1).mean()
    assert hypervolume(points, np.zeros(3)) == pytest.approx(share, abs=4.5 * 0.5 / 200)


def test_what_is_not_above_the_reference_adds_nothing():
    reference = np.array([1.5, 0.0])
    assert hypervolume(STAIRS, reference) == 2 * 0.5 + 1  # of 2 and 3
    assert hypervolume(STAIRS, np.array([3.0, 3.0])) == 0
    assert hypervolume(np.zeros((0, 2)), reference) == 0


def test_dominated_points_and_order_do_not_matter():
    more = np.vstack([STAIRS[::-1], [[1.0, 1.0]], STAIRS])
    assert hypervolume(more, np.zeros(2)) == 6


def test_as_many_objectives_are_asked_for():
    with pytest.raises(ValueError, match=r"got \(3, 2\) and \(3,\)"):
        hypervolume(STAIRS, np.zeros(3))


def test_the_expected_utility_takes_the_best_for_each_preference():
    preferences = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    assert expected_utility(np.array([[1.0, 0.0], [0.0, 4.0]]), preferences) == (1 + 2 + 4) / 3
    assert expected_utility(np.array([[1.0, 0.0]]), preferences) == 0.5


def test_even_preferences_stand_for_the_flat_dirichlet():
    preferences = even_preferences()
    assert preferences.shape == (144, 3)
    assert len(np.unique(preferences.round(12), axis=0)) == 144
    assert (preferences > 0).all()
    np.testing.assert_allclose(preferences.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(preferences.mean(axis=0), 1 / 3, rtol=1e-13)
    # The largest of the three parts of a broken stick is (1 + 1/2 + 1/3) / 3 on average.
    assert expected_utility(np.eye(3), preferences) == pytest.approx(11 / 18, rel=3e-3)


def test_even_preferences_by_hand():
    expected = [[1, 1, 4], [1, 4, 1], [4, 1, 1], [2, 2, 2]]  # sixths
    np.testing.assert_allclose(even_preferences(2) * 6, expected)
