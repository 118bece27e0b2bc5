"""Products a few rows at a time: the same products, none large enough to be split over threads."""

import numpy as np
import pytest

from llm_routing_env.agents.parts.row_blocks import ROWS, product, product_over_rows


@pytest.mark.parametrize("n_rows", [0, 1, ROWS - 1, ROWS, 3 * ROWS + 5])
def test_they_are_the_products(n_rows):
    rng = np.random.default_rng(n_rows)
    left, right, beside = rng.normal(size=(n_rows, 6)), rng.normal(size=(6, 4)), rng.normal(size=(n_rows, 3))
    np.testing.assert_allclose(product(left, right), left @ right, atol=1e-12)
    np.testing.assert_allclose(product_over_rows(left, beside), left.T @ beside, atol=1e-12)


def test_openblas_leaves_a_block_of_an_embedding_and_a_hidden_layer_in_one_thread():
    """It takes one thread for each 65,536 x 4 multiplications, rounded down (interface/gemm.c)."""
    assert ROWS * 400 * 64 < 2 * 65_536 * 4
