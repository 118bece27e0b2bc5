"""What a log can say of a policy, and what it is warned of."""

import numpy as np
import pytest

from llm_routing_env.evaluation.off_policy import Logged
from llm_routing_env.evaluation.off_policy.support import (
    calibration_of,
    calibration_warnings,
    support_of,
    warnings_of,
)


def logged_of(action, propensity, target) -> Logged:
    n = len(action)
    target = np.broadcast_to(target, (n, np.shape(target)[-1])).astype(float)
    chance = np.broadcast_to(propensity, n).astype(float)
    return Logged(np.ones(n), np.asarray(action), chance, target, np.arange(n), np.zeros(target.shape))


EVEN = np.arange(400) % 4  # 100 pulls of each of four LLMs


def test_a_uniform_log_supports_a_fixed_llm():
    support = support_of(logged_of(EVEN, 0.25, [0, 1, 0, 0]))
    assert support.effective_sample_size == pytest.approx(100)
    assert (support.largest_weight, support.mean_weight["mean"]) == (4.0, 1.0)
    assert support.largest_share == pytest.approx(0.01)
    assert warnings_of(support) == []


def test_an_llm_that_was_never_asked_is_named_as_missing_support():
    support = support_of(logged_of(np.zeros(400, int), 0.25, [0.7, 0.3]))
    assert support.never_asked == pytest.approx(0.3)
    assert "30.0% of its queries to LLMs that the log never asked" in warnings_of(support)[0]


def test_a_sure_choice_leaves_no_support_for_others():
    propensity = np.where(np.arange(400) < 100, 1.0, 0.25)
    support = support_of(logged_of(EVEN, propensity, [1, 0, 0, 0]))
    assert support.impossible == pytest.approx(75 / 400)
    assert "with probability 1" in warnings_of(support)[0]


def test_the_logging_policy_itself_teaches_nothing():
    (warning,) = warnings_of(support_of(logged_of(EVEN, 0.25, [0.25] * 4)))
    assert "too close to the logging policy" in warning


def test_few_effective_queries_and_extreme_weights_are_said():
    propensity = np.where(np.arange(400) == 1, 0.001, 0.25)
    said = " ".join(warnings_of(support_of(logged_of(EVEN, propensity, [0, 1, 0, 0]))))
    assert "effective queries of 400" in said
    assert "Weights are extreme" in said


def test_weights_that_do_not_average_one_are_said():
    (warning,) = warnings_of(support_of(logged_of(EVEN, 0.5, [0, 1, 0, 0])))
    assert "The weights average 0.50" in warning


def test_propensities_that_are_right_add_up_to_one_for_every_llm():
    rng = np.random.default_rng(0)
    chances = np.array([0.1, 0.2, 0.7])
    action = rng.choice(3, p=chances, size=3000)
    found = calibration_of(action, chances[action], np.arange(3000), 3)
    assert [one["low"] < 1 < one["high"] for one in found] == [True] * 3
    assert calibration_warnings(found, ["a", "b", "c"]) == []


def test_propensities_that_are_wrong_are_named():
    action = EVEN % 2
    found = calibration_of(action, np.where(action == 0, 0.9, 0.5), np.arange(400), 2)
    assert [one["mean"] for one in found] == pytest.approx([0.5 / 0.9, 1.0])
    (warning,) = calibration_warnings(found, ["a", "b"])
    assert warning.startswith("The propensities do not add up for a:")
    assert "less often" in warning


def test_steps_at_which_an_llm_could_not_be_asked_do_not_count():
    mask = np.ones((400, 2), dtype=bool)
    mask[:200, 1] = False
    action = np.where(np.arange(400) < 200, 0, EVEN % 2)
    propensity = np.where(np.arange(400) < 200, 1.0, 0.5)
    found = calibration_of(action, propensity, np.arange(400), 2, mask)
    assert [one["mean"] for one in found] == pytest.approx([1.0, 1.0])
