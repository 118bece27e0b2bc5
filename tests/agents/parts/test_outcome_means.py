"""Means by context, computed by hand."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.outcome_means import OutcomeMeans

PRIOR = np.array([[0.5, 0.0, 1.0], [0.5, -1.0, 2.0]])  # accuracy, base and gain of two arms


@pytest.fixture
def make_means():
    def make(*experience, **options):
        settings = {"prior_pulls": 2.0, "pseudo_pulls": 4.0, "discount": 1.0} | options
        means = OutcomeMeans(1, 3, PRIOR, **settings)
        for context, arm, *measured in experience:
            means.update(np.array([context]), np.array([arm]), np.array([measured]), np.array([True]))
        return means

    return make


def believed(means, context):
    return means.believed(np.array([context]))


def test_without_answers_it_is_the_prior(make_means):
    found = believed(make_means(), 0)
    np.testing.assert_array_equal([found.accuracy[0], found.base[0], found.gain[0]], PRIOR.T)
    np.testing.assert_array_equal(found.pulls, [[2, 2]])
    assert (found.lowest < 0).all()


def test_answers_of_a_context_are_added_to_the_prior(make_means):
    found = believed(make_means((0, 1, 1.0, -2.0, 4.0), (0, 1, 1.0, -2.0, 4.0)), 0)
    np.testing.assert_allclose(found.accuracy, [[0.5, 0.75]])
    np.testing.assert_allclose(found.base, [[0.0, -1.5]])
    np.testing.assert_allclose(found.gain, [[1.0, 3.0]])
    np.testing.assert_array_equal(found.pulls, [[2, 4]])


def test_other_contexts_count_as_pseudo_pulls_at_most(make_means):
    means = make_means(*[(context, 0, 1.0, 0.0, 1.0) for context in (0, 1) * 9], (2, 0, 0.0, 0.0, 1.0))
    # Others: (1 + 18) of 20 right, as 4 pulls; own: 0 of 1.
    assert believed(means, 2).accuracy[0, 0] == pytest.approx(4 * 19 / 20 / 5)
    assert believed(means, 2).pulls[0, 0] == pytest.approx(5)
    assert believed(means, 2).lowest[0, 0] < 0  # of what is seen elsewhere, nothing is sure here


def test_the_prior_counts_in_full_however_few_pulls_others_are_worth(make_means):
    means = make_means(prior_pulls=100.0, pseudo_pulls=1.0)
    assert believed(means, 0).pulls[0, 0] == pytest.approx(100)


def test_lowest_accuracy_is_hoeffdings_bound(make_means):
    means = make_means(*[(0, 0, 1.0, 0.0, 1.0)] * 100)
    assert believed(means, 0).lowest[0, 0] == pytest.approx(1 - np.sqrt(np.log(4 * 100**2 / 1e-4) / 200))


def test_answers_are_forgotten_in_all_contexts(make_means):
    experience = [(0, 0, 1.0, 0.0, 1.0), (1, 1, 0.0, 0.0, 1.0), (1, 1, 0.0, 0.0, 1.0)]
    found = believed(make_means(*experience, discount=0.5), 0)
    assert found.accuracy[0, 0] == pytest.approx((1 + 0.25) / 2.25)
    assert found.pulls[0, 0] == pytest.approx(2.25)


def test_where_there_is_no_answer_it_only_forgets(make_means):
    means = make_means((0, 0, 1.0, -2.0, 4.0), discount=0.5)
    means.update(np.array([0]), np.array([0]), np.array([[0.0, -9.0, 4.0]]), np.array([False]))
    np.testing.assert_array_equal(means.sums[0, 0, 0], [0.5, -1.0, 2.0, 0.5])
    np.testing.assert_array_equal(means.totals[0], [[0.5, -1.0, 2.0, 0.5], [0, 0, 0, 0]])
