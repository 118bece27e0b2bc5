"""Embeddings beside a table, and their projection."""

import numpy as np

from llm_routing_env.observations.embedding_file import project


def test_a_query_at_the_centre_of_the_train_split_has_a_vector_too():
    alone = np.array([[0.6, 0.8], [1.0, 0.0]], dtype=np.float32)
    np.testing.assert_allclose(np.linalg.norm(project(alone, np.array([True, False])), axis=1), 1.0, atol=1e-6)
