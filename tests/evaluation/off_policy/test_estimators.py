"""Every estimator against hand and theory."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from llm_routing_env.evaluation.off_policy import ESTIMATORS, Logged, estimate
from llm_routing_env.evaluation.off_policy.doubly_robust import dm, dr, sndr, switch_dr, switch_threshold, switched
from llm_routing_env.evaluation.off_policy.importance import clipped_ips, ips, snips

# Four steps, two LLMs. Weights: .5/.5 = 1, 1/.25 = 4, 0/.5 = 0, .2/.8 = .25.
BY_HAND = Logged(
    value=np.array([1.0, 0.5, 3.0, 2.0]),
    action=np.array([0, 1, 0, 1]),
    propensity=np.array([0.5, 0.25, 0.5, 0.8]),
    target=np.array([[0.5, 0.5], [0.0, 1.0], [0.0, 1.0], [0.8, 0.2]]),
    queries=np.arange(4),
    model=np.array([[1.0, 2.0], [0.0, 1.0], [0.0, 1.0], [1.0, 1.0]]),
)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (ips, (1 * 1 + 4 * 0.5 + 0 + 0.25 * 2) / 4),
        (clipped_ips, (1 * 1 + 2 * 0.5 + 0 + 0.25 * 2) / 4),  # weights end at sqrt(4)
        (snips, 3.5 / 5.25),
        (dm, (1.5 + 1 + 1 + 1) / 4),
        (dr, (4.5 + 1 * 0 + 4 * -0.5 + 0 + 0.25 * 1) / 4),
        (sndr, 4.5 / 4 - 1.75 / 5.25),
    ],
)
def test_the_formula_by_hand(estimator, expected):
    assert estimator(BY_HAND).mean == pytest.approx(expected)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_deviations_sum_to_zero(name):
    assert ESTIMATORS[name](BY_HAND).deviations.sum() == pytest.approx(0)


def test_the_numbers_of_open_bandit_pipeline():
    """What OBP 0.5.7 gives for the same arrays; switching at 10.42, the threshold chosen here, and at 2."""
    rng, n = np.random.default_rng(3), 500
    chances = rng.dirichlet(np.full(4, 0.6), size=n) * 0.96 + 0.01
    action = (chances.cumsum(axis=1) < rng.random(n)[:, None]).sum(axis=1).clip(0, 3)
    target, value, model = rng.dirichlet(np.ones(4), size=n), rng.random(n) + 0.2 * action, rng.random((n, 4))
    logged = Logged(value, action, chances[np.arange(n), action], target, np.arange(n), model)
    expected = {
        "ips": 0.742422631904267,
        "clipped_ips": 0.742422631904267,
        "snips": 0.7964621389165395,
        "dm": 0.4983913945754746,
        "dr": 0.7446673740865776,
        "sndr": 0.7625933261653938,
        "switch_dr": 0.7446673740865776,
    }
    assert {name: ESTIMATORS[name](logged).mean for name in expected} == pytest.approx(expected, rel=1e-12)
    assert switched(logged, 2.0).mean() == pytest.approx(0.6473746694007348, rel=1e-12)


def test_snips_deviations_are_the_derivative_by_a_steps_count():
    """Influence: what one more copy of a step moves the ratio by, times the number of steps."""
    estimate, weights, more = snips(BY_HAND), BY_HAND.weights, 1e-6
    for step in range(4):
        counts = np.ones(4)
        counts[step] += more
        moved = (counts * weights * BY_HAND.value).sum() / (counts * weights).sum() - estimate.mean
        assert estimate.deviations[step] / 4 == pytest.approx(moved / more, rel=1e-4)


def enumerated(estimator, *, propensity, target, rewards, model):
    """Return the mean of an estimate over every log that two queries and two LLMs can give, by its probability."""
    total = 0.0
    for queries in itertools.product((0, 1), repeat=2):
        for actions in itertools.product((0, 1), repeat=2):
            chances = [propensity[query][action] for query, action in zip(queries, actions, strict=True)]
            logged = Logged(
                value=np.array([rewards[q][a] for q, a in zip(queries, actions, strict=True)]),
                action=np.array(actions),
                propensity=np.array(chances),
                target=np.array([target[q] for q in queries]),
                queries=np.array(queries),
                model=np.array([model[q] for q in queries]),
            )
            total += 0.25 * np.prod(chances) * estimator(logged).mean
    return total


REWARDS, TARGET, PROPENSITY = ((1.0, -2.0), (0.5, 4.0)), ((0.9, 0.1), (0.3, 0.7)), ((0.2, 0.8), (0.6, 0.4))
TRUTH = (0.9 * 1 - 0.1 * 2 + 0.3 * 0.5 + 0.7 * 4) / 2


@pytest.mark.parametrize("estimator", [ips, dr])
@pytest.mark.parametrize("model", [((0.0, 0.0), (0.0, 0.0)), ((7.0, -3.0), (2.0, 1.0))])
def test_ips_and_dr_are_unbiased_whatever_the_model(estimator, model):
    found = enumerated(estimator, propensity=PROPENSITY, target=TARGET, rewards=REWARDS, model=model)
    assert found == pytest.approx(TRUTH)


def test_the_direct_method_is_as_biased_as_its_model():
    off_by_one = ((2.0, -1.0), (1.5, 5.0))
    found = enumerated(dm, propensity=PROPENSITY, target=TARGET, rewards=REWARDS, model=off_by_one)
    assert found == pytest.approx(TRUTH + 1)


@pytest.mark.parametrize("estimator", [dr, sndr, switch_dr])
def test_a_right_model_makes_up_for_wrong_propensities(estimator):
    model = np.array([[1.0, 5.0], [0.0, 0.5], [3.0, 0.0], [1.0, 2.0]])  # residuals are 0
    right = replace(BY_HAND, model=model, propensity=np.array([0.1, 0.9, 0.3, 0.7]))
    assert estimator(right).mean == pytest.approx(dm(right).mean)


@pytest.mark.parametrize(("with_model", "without"), [(dr, ips), (sndr, snips)])
def test_a_model_of_nothing_leaves_the_weighted_estimate(with_model, without):
    blank = replace(BY_HAND, model=np.zeros((4, 2)))
    assert with_model(blank).mean == pytest.approx(without(blank).mean)
    np.testing.assert_allclose(with_model(blank).deviations, without(blank).deviations)


@pytest.mark.parametrize("estimator", [snips, sndr])
def test_self_normalised_estimates_do_not_care_for_the_scale_of_weights(estimator):
    halved = replace(BY_HAND, propensity=BY_HAND.propensity / 2)
    assert estimator(halved).mean == pytest.approx(estimator(BY_HAND).mean)


def test_snips_moves_with_the_rewards_and_ips_does_not():
    raised = replace(BY_HAND, value=BY_HAND.value + 10)
    assert snips(raised).mean == pytest.approx(snips(BY_HAND).mean + 10)
    assert ips(raised).mean == pytest.approx(ips(BY_HAND).mean + 10 * BY_HAND.weights.mean())


def test_switch_dr_is_dr_where_no_weight_is_risky():
    rng = np.random.default_rng(0)
    action = rng.integers(2, size=200)
    even = Logged(
        value=action + 0.1 * rng.standard_normal(200),
        action=action,
        propensity=np.full(200, 0.5),
        target=np.tile([0.4, 0.6], (200, 1)),
        queries=np.arange(200),
        model=np.zeros((200, 2)),
    )
    assert switch_threshold(even) == pytest.approx(1.2)
    assert switch_dr(even).mean == pytest.approx(dr(even).mean)


def test_switch_dr_drops_a_weight_that_costs_more_variance_than_the_bias_it_saves():
    """100 steps: 99 of weight 1, one of weight 1000 whose bias bound (10 x 1) is below its standard error."""
    n = 100
    propensity = np.full(n, 1.0)
    propensity[0] = 1e-3
    value = np.zeros(n)
    value[0] = 1.0
    lone = Logged(value, np.zeros(n, int), propensity, np.ones((n, 1)), np.arange(n), np.full((n, 1), -50.0))
    # Kept: terms -50 + 1000 * 51 and -50 + 50, whose mean has the standard error ~510; dropped: bias at most 10.
    assert switch_threshold(lone) == 1.0
    assert switch_dr(lone).mean == pytest.approx(-0.5)  # 99 corrected terms are 0, one is the model's -50


def test_no_weight_at_all_is_an_estimate_of_nothing():
    away = replace(BY_HAND, target=np.array([[0.0, 1.0], [1.0, 0.0]] * 2))
    assert ips(away).mean == 0.0
    assert dr(away).mean == dm(away).mean
    assert np.isnan([snips(away).mean, sndr(away).mean]).all()
    assert estimate("snips", away) == {"mean": None, "low": None, "high": None}
