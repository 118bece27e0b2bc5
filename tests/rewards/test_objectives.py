"""The terms of the additive reward as a vector, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from tables import random_table

from llm_routing_env.rewards.forms import make_reward
from llm_routing_env.rewards.objectives import cell_objectives, objective_bounds
from llm_routing_env.tables.cells import Cells

REWARD = make_reward(random_table(), "additive", (1, 0.5, 0.5), t_scaling=2.0, cost_scale_usd=1e-3)
REWARD = replace(REWARD, max_cost_usd=4e-3, max_latency_s=100.0)


def cells(**changed: object) -> Cells:
    shape = (1, 3, 1)
    given = {
        "accuracy": np.array([1.0, 0.5, 0.0]).reshape(shape),
        "cost_usd": np.array([2e-3, 0.0, 1e-3]).reshape(shape),
        "latency_s": np.array([1.0, 0.001, 10.0]).reshape(shape),  # the second is below the floor of 10 ms
        "failed": np.array([False, False, True]).reshape(shape),
    }
    given |= {name: np.reshape(values, shape) for name, values in changed.items()}
    return replace(Cells.of(random_table(), "exact_match"), **given)


def test_each_number_by_hand():
    worst = [0.0, -4.0, -5.0 / 2]  # 4e-3 dollars; log10 of 100,000 ms
    expected = [[1.0, -2.0, -3.0 / 2], [0.5, 0.0, -1.0 / 2], worst]
    np.testing.assert_allclose(cell_objectives(cells(), REWARD)[0, :, 0], expected, rtol=1e-15)
    low, high = objective_bounds(REWARD)
    assert low.tolist() == worst
    assert high.tolist() == [1.0, 0.0, -0.5]


def test_neither_weights_nor_form_matter():
    other = make_reward(random_table(), "pickllm", (0, 1, 0), t_scaling=2.0, cost_scale_usd=1e-3)
    other = replace(other, max_cost_usd=4e-3, max_latency_s=100.0)
    np.testing.assert_array_equal(cell_objectives(cells(), other), cell_objectives(cells(), REWARD))


def test_where_there_is_no_outcome_there_is_no_reward():
    objectives = cell_objectives(cells(accuracy=[1, np.nan, 0], cost_usd=[0, np.nan, 0]), REWARD)
    assert np.isnan(objectives).any(axis=-1).ravel().tolist() == [False, True, False]


def test_a_failed_call_needs_neither_cost_nor_latency():
    objectives = cell_objectives(cells(cost_usd=[0, 0, np.nan], latency_s=[1, 1, np.nan]), REWARD)
    assert objectives[0, 2, 0].tolist() == [0.0, -4.0, -2.5]


@pytest.mark.parametrize("name", ["cost", "latency"])
def test_what_the_table_lacks_is_named(name: str):
    lacking = cells(**{"cost_usd" if name == "cost" else "latency_s": [1e-3, np.nan, 1e-3]})
    with pytest.raises(ValueError, match=f"need the {name} of every outcome, and 1 of 3 have none"):
        cell_objectives(lacking, REWARD)


def test_a_cost_scale_of_nothing_is_refused():
    with pytest.raises(ValueError, match="cost_scale_usd must be a finite number above 0, got 0"):
        cell_objectives(cells(), replace(REWARD, cost_scale_usd=0.0))
