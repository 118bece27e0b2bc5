"""What is seen of the asks is read as it was written."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.ask_view import AskView, size_of_asks, write_asks


@pytest.mark.parametrize("n_llms", [2, 3, 15, 50])
def test_everything_comes_back(n_llms: int):
    rng, shape = np.random.default_rng(0), (40, n_llms)
    order, group = rng.integers(n_llms + 1, size=shape), rng.integers(n_llms + 1, size=shape)
    share, rank, is_closed = rng.random(shape), rng.uniform(-0.9, 1.0, shape), rng.random(40) < 0.5
    rank[0, 1] = -1.0
    written = write_asks(order, group, share, [rank], is_closed)
    assert written.shape == (40, size_of_asks(n_llms, 1))
    view = AskView(np.concatenate([np.full((40, 3), 0.5), written], axis=1), n_llms, ["confidence"])
    np.testing.assert_array_equal(view.query, np.full((40, 3), 0.5))
    np.testing.assert_array_equal(view.order, order)
    np.testing.assert_array_equal(view.group, group)
    np.testing.assert_allclose(view.share, share, atol=1e-7)
    np.testing.assert_allclose(view.measures["confidence"], np.where(rank == -1, np.nan, rank), atol=1e-7)
    np.testing.assert_array_equal(view.is_closed, is_closed)


def test_one_observation_is_read_as_a_batch_of_one():
    asks = write_asks(np.array([[2, 1]]), np.array([[1, 0]]), np.array([[0.5, 0.0]]), [], np.array([False]))
    view = AskView([0.25, *asks[0]], 2)
    assert (view.query.tolist(), view.order.tolist(), view.group.tolist()) == ([[0.25]], [[2, 1]], [[1, 0]])


def test_what_is_too_short_is_refused():
    with pytest.raises(ValueError, match="more than 7 numbers, those of 2 LLMs with 0 measures"):
        AskView(np.zeros(7), 2)
