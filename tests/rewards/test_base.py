"""The paper's ratio and the additive form: values and bounds by hand, and the ratio's oddities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm_routing_env.rewards.forms import FORMS


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
def test_the_bounds_by_hand(form):
    # worst: wrong, 2e-4 dollars = 1 after weighting; best: right, free, 10 ms
    expected = (-1 / 0.5, 1 / 0.5) if form == "pickllm" else (-1 - 0.5 * 3, 1 - 0.5)
    assert reward(form).bounds == pytest.approx(expected)


def test_the_ratio_says_of_itself_that_latency_only_scales_and_where_a_slower_llm_wins():
    scales, slower = reward().remarks(np.array([0.5, -0.5, 0.1, 0.2]))
    assert scales.startswith("In the ratio form the weight on latency only scales the reward")
    assert slower == "25% of the rewards are negative: there the ratio prefers the slower LLM."
    assert len(reward().remarks(np.array([0.5]))) == 1
    assert reward(weights=(1.0, 0.5, 0.0)).remarks(np.array([-1.0])) == []
    assert reward("additive").remarks(np.array([-1.0])) == []


def test_the_ratio_is_constant_where_latency_alone_is_weighed():
    latency_alone = {"weights": (0.0, 0.0, 1.0)}
    assert reward(**latency_alone).is_constant
    assert not reward("additive", **latency_alone).is_constant
    assert not reward(**latency_alone, extra_terms={"bias": 1.0}).is_constant
    assert reward("additive", weights=(0.0, 0.0, 0.0)).is_constant


def test_the_formulas():
    gain, latency = "1 × accuracy − 0.5 × cost / 0.0001 $ − 0.3 × bias", "0.5 × log10(latency in ms) / 2"
    further = {"t_scaling": 2.0, "extra_terms": {"bias": 0.3}}
    assert reward(**further).formula == f"({gain}) / ({latency})"
    assert reward("additive", **further).formula == f"{gain} − {latency}"
    for form in ("pickllm", "additive"):
        assert reward(form, (1.0, 0.5, 0.0), **further).formula == gain
