"""The two reward forms: values by hand, monotonicity, bounds, refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import queries, random_table, records

from llm_routing_env.rewards.forms import FORMS, make_reward
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table()


def reward(form="pickllm", weights=(1.0, 0.5, 0.5), **other):
    units = {"cost_scale_usd": 1e-4, "max_cost_usd": 2e-4, "max_latency_s": 1.0}
    return FORMS[form](form=form, weights=weights, **units, **other)


def test_the_ratio_by_hand():
    # a = 1, c = 0.4, l = 100 ms: (1 - 0.5 * 0.4) / (0.5 * 2)
    assert reward()(1.0, 4e-5, 0.1) == pytest.approx(0.8)


def test_the_additive_form_by_hand():
    assert reward("additive")(1.0, 4e-5, 0.1) == pytest.approx(1 - 0.2 - 1.0)


def test_latency_is_floored_at_ten_milliseconds():
    assert reward()(1.0, 0.0, 1e-4) == reward()(1.0, 0.0, 0.01) == pytest.approx(1 / 0.5)


def test_a_zero_latency_weight_drops_the_denominator():
    assert reward(weights=(1.0, 0.5, 0.0))(1.0, 4e-5, float("nan")) == pytest.approx(0.8)


def test_extra_terms_are_subtracted_from_the_numerator():
    form = reward(extra_terms={"toxicity": 0.3}, max_measures={"toxicity": 1.0})
    assert form(1.0, 4e-5, 0.1, {"toxicity": 0.5}) == pytest.approx(0.8 - 0.15)


values = {
    "accuracy": st.floats(0, 1),
    "cost_usd": st.floats(0, 2e-4),
    "latency_s": st.floats(0.011, 0.9),
}


@given(**values)
def test_a_slower_llm_scores_worse_in_the_ratio_only_above_a_numerator_of_zero(accuracy, cost_usd, latency_s):
    form = reward()
    numerator = accuracy - 0.5 * cost_usd / 1e-4
    slower, faster = form(accuracy, cost_usd, latency_s * 1.1), form(accuracy, cost_usd, latency_s)
    assert (slower < faster) == (numerator > 0) or abs(numerator) < 1e-12


@given(**values)
def test_a_slower_llm_always_scores_worse_in_the_additive_form(accuracy, cost_usd, latency_s):
    form = reward("additive")
    assert form(accuracy, cost_usd, latency_s * 1.1) < form(accuracy, cost_usd, latency_s)


@given(t_scaling=st.floats(0.1, 10), w_l=st.floats(0.1, 10))
def test_latency_weight_and_scaling_only_rescale_the_ratio(t_scaling, w_l):
    costs, latencies = np.array([1e-5, 9e-5, 4e-5]), np.array([0.02, 0.1, 0.5])
    scaled = reward(weights=(1.0, 0.5, w_l), t_scaling=t_scaling)(1.0, costs, latencies)
    np.testing.assert_allclose(scaled, reward()(1.0, costs, latencies) * 0.5 * t_scaling / w_l)


@pytest.mark.parametrize("form", ["pickllm", "additive"])
@given(**values)
def test_rewards_stay_within_the_bounds(form, accuracy, cost_usd, latency_s):
    low, high = reward(form).bounds
    assert low - 1e-9 <= reward(form)(accuracy, cost_usd, latency_s) <= high + 1e-9


@pytest.mark.parametrize("form", ["pickllm", "additive"])
def test_the_bounds_by_hand(form):
    # worst: wrong, 2e-4 dollars = 1 after weighting; best: right, free, 10 ms
    expected = (-1 / 0.5, 1 / 0.5) if form == "pickllm" else (-1 - 0.5 * 3, 1 - 0.5)
    assert reward(form).bounds == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"form": "ratio"}, "Unknown reward 'ratio'"),
        ({"weights": (1.0, -0.5, 0.5)}, "weights must be three finite numbers"),
        ({"weights": (0.0, 0.0, 0.0)}, "not all 0"),
        ({"weights": (1.0, float("nan"), 0.5)}, "weights must be"),
        ({"weights": (1.0, 0.5)}, "weights must be three"),
        ({"weights": (0.0, 0.0, 1.0)}, r"is the same whatever the outcome: .* another form \(additive\)"),
        ({"t_scaling": 0.0}, "t_scaling must be"),
        ({"cost_scale_usd": -1.0}, "cost_scale_usd must be"),
        ({"extra_terms": {"bias": 1.0}}, "Unknown measure 'bias'"),
    ],
)
def test_a_reward_that_cannot_be_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_reward(TABLE, **arguments)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("cost_usd", r"weighs cost \(0.5\).* records none: .* --weights 1,0,0.25, .* with --cost-column\."),
        ("latency_s", r"weighs latency \(0.25\).* --weights 1,0.5,0, .* --latency-column or --latency-from\."),
    ],
)
def test_a_measure_that_is_weighed_but_not_recorded_is_refused_with_what_to_do(column, message):
    asked = queries(2, ["art"])
    rows = [row | {column: None} for row in records(asked, ["a"], 1.0, 1e-5, [0.1])]
    table = OutcomeTable.from_records(asked, ["a"], rows, {})
    with pytest.raises(ValueError, match=message):
        make_reward(table, weights=(1, 0.5, 0.25))


@pytest.mark.parametrize("form", ["pickllm", "additive"])
def test_where_every_llm_is_free_the_cost_is_nothing(form):
    asked = queries(2, ["art"])
    table = OutcomeTable.from_records(asked, ["a"], records(asked, ["a"], 1.0, 0.0, [0.1]), {})
    free = make_reward(table, form)
    assert free.terms(1.0, 0.0, 0.1) == {"accuracy": 1.0, "cost": 0.0, "latency": 1.0}
    assert free(1.0, 0.0, 0.1) == (1.0 if form == "pickllm" else 0.0)


def test_the_unit_of_cost_is_the_dearest_llms_mean():
    assert TABLE.cost_scale_usd == pytest.approx(TABLE.cost_usd.mean(axis=(0, 2)).max())
    assert make_reward(TABLE).cost_scale_usd == TABLE.cost_scale_usd
