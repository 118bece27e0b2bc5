"""Rescaling of rewards to [0, 1], with values computed by hand."""

import numpy as np
import pytest

from llm_routing_env.agents.normalisers import RewardNormaliser

REWARDS = [-1.0, 2.0, 1.0, 4.0, -2.0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("running_max", [0, 1, 0.5, 1, 0]),
        ("running_minmax", [0, 1, 2 / 3, 1, 0]),
        ("bounds", [0.4, 0.7, 0.6, 0.9, 0.3]),
        ("quantiles", [0, 2 / 3, 1 / 3, 1, 0]),
    ],
)
def test_rewards_are_rescaled_as_named(kind, expected, make_task):
    task = make_task(reward_bounds=(-5.0, 5.0), reward_quantiles=(0.0, 3.0))
    normalise = RewardNormaliser(kind, task, n_rows=1)
    scaled = [normalise(np.array([reward])).item() for reward in REWARDS]
    np.testing.assert_allclose(scaled, expected, rtol=0, atol=1e-12)


def test_each_session_follows_its_own_rewards(make_task):
    normalise = RewardNormaliser("running_max", make_task(), n_rows=2)
    normalise(np.array([2.0, 4.0]))
    np.testing.assert_array_equal(normalise(np.array([1.0, 1.0])), [0.5, 0.25])


def test_quantiles_default_to_the_bounds(make_task):
    normalise = RewardNormaliser("quantiles", make_task(reward_bounds=(0.0, 4.0)), n_rows=1)
    assert normalise(np.array([1.0])).item() == 0.25
