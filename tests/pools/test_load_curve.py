"""Load curves: interpolation by hand, and what a table's metadata may hold."""

import contextlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import random_table

from llm_routing_env.pools.load_curve import LoadCurve, load_curves

TABLE = random_table(per_context=2, n_llms=2, n_repeats=1)
POINTS = {"concurrency": [1, 4], "latency_s": [0.1, 0.2]}


def test_between_two_points_the_slowdown_is_linear():
    curve = LoadCurve((1, 4, 16), (0.1, 0.25, 0.5))  # 1, 2.5 and 5 times as long as alone
    slowdown = curve.slowdown([[0, 1, 2, 3], [4, 7, 10, 16]])
    np.testing.assert_allclose(slowdown, [[1.0, 1.0, 1.5, 2.0], [2.5, 3.125, 3.75, 5.0]], rtol=1e-12)


def test_beyond_the_last_point_it_goes_on_with_the_last_slope():
    curve = LoadCurve((1, 4, 16), (0.1, 0.2, 0.5))  # the last piece rises by 3 over 12 requests
    np.testing.assert_allclose(curve.slowdown([20, 64]), [6.0, 17.0], rtol=1e-12)
    assert curve.slowdown([20, 64]).shape == (2,)


def test_an_engine_that_serves_in_turn_goes_on_doing_so():
    curve = LoadCurve((1, 2, 8), (0.03, 0.06, 0.24))
    loads = np.arange(1, 200)
    np.testing.assert_allclose(curve.slowdown(loads), loads, rtol=1e-12)


def test_a_point_below_the_one_before_it_is_noise():
    curve = LoadCurve((1, 4, 16, 64), (0.1, 0.08, 0.3, 0.2))
    np.testing.assert_allclose(curve.slowdown([2, 4, 10, 16, 64, 100]), [1, 1, 2, 3, 3, 3], rtol=1e-12)


def test_alone_nothing_is_slowed_to_the_last_bit():
    assert LoadCurve((1, 3), (0.1, 0.3)).slowdown(1) == 1.0


def test_a_tables_curves_are_in_the_order_of_its_llms():
    slower = {"concurrency": [1, 2, 3], "latency_s": [1, 2.0, 5.0], "p95_latency_s": [2.0, 3.0, 6.0]}
    table = TABLE.with_metadata({"load_curve": {"llms": {"llm-1": slower, "other": {}, "llm-0": POINTS}}})
    assert load_curves(table) == (LoadCurve((1, 4), (0.1, 0.2)), LoadCurve((1, 2, 3), (1, 2.0, 5.0)))


def test_a_table_without_curves_is_told_how_to_measure_them():
    with pytest.raises(ValueError, match=r"no load curve: serve its pool and measure one with `pickllm load-curve"):
        load_curves(TABLE)


def test_latencies_under_load_already_are_not_slowed_again():
    table = TABLE.with_metadata({"concurrency": 16, "load_curve": {"llms": {"llm-0": POINTS, "llm-1": POINTS}}})
    with pytest.raises(ValueError, match=r"recorded with 16 requests in flight.*record it with --concurrency 1"):
        load_curves(table)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"concurrency": [1], "latency_s": [0.1]}, "two whole numbers or more"),
        ({"concurrency": [2, 4], "latency_s": [0.1, 0.2]}, r"rising from 1 to at most 1000000, got \[2, 4\]"),
        ({"concurrency": [1, 4, 4], "latency_s": [0.1, 0.2, 0.3]}, "rising from 1"),
        ({"concurrency": [1, "4"], "latency_s": [0.1, 0.2]}, "whole numbers"),
        ({"concurrency": [1, 4.5], "latency_s": [0.1, 0.2]}, "whole numbers"),
        ({"concurrency": [True, 4], "latency_s": [0.1, 0.2]}, "whole numbers"),
        ({"concurrency": [1, 4], "latency_s": [0.1]}, "must be 2 numbers"),
        ({"concurrency": [1, 4], "latency_s": [0.0, 0.2]}, r"numbers from 1e-06 to 1e\+06.*got \[0.0, 0.2\]"),
        ({"concurrency": [1, 4], "latency_s": [0.1, float("nan")]}, "must be 2 numbers"),
        ({"concurrency": [1, 4], "latency_s": [0.1, None]}, "must be 2 numbers"),
        ({"concurrency": [1, 4]}, "KeyError: 'latency_s'"),
        ({"concurrency": 1, "latency_s": 1}, "TypeError"),
        ("fast", "TypeError"),
    ],
)
def test_points_that_make_no_curve_are_refused(points: Any, message: str):
    table = TABLE.with_metadata({"load_curve": {"llms": {"llm-0": POINTS, "llm-1": points}}})
    with pytest.raises(ValueError, match=message) as refused:
        load_curves(table)
    assert "measure it anew with `pickllm load-curve" in str(refused.value)


def test_an_llm_without_a_curve_is_named():
    with pytest.raises(ValueError, match="KeyError: 'llm-1'"):
        load_curves(TABLE.with_metadata({"load_curve": {"llms": {"llm-0": POINTS}}}))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        ANYTHING,
        st.fixed_dictionaries({"llms": ANYTHING}),
        st.builds(
            lambda loads, latencies_s: {
                "llms": {"llm-0": POINTS, "llm-1": {"concurrency": loads, "latency_s": latencies_s}}
            },
            st.one_of(ANYTHING, st.just([1, 4]), st.lists(st.integers(1), max_size=4)),
            st.one_of(ANYTHING, st.lists(st.floats(1e-6, 1e6), max_size=4)),
        ),
    )
)
def test_whatever_the_metadata_holds_gives_curves_or_a_value_error(metadata: Any):
    table = TABLE.with_metadata({"load_curve": metadata})
    with contextlib.suppress(ValueError):
        assert all(np.isfinite(curve.slowdown(np.arange(100))).all() for curve in load_curves(table))
