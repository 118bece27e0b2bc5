"""Embeddings beside a table that are damaged or odd."""

from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mutations import damaged, fuzz, read_or_refuse
from tables import random_table

from llm_routing_env.observations.embedding_file import embeddings_path, read_embeddings, write_embeddings
from llm_routing_env.tables.table import OutcomeTable

NUMBERS = (0.0, 1.0, -1.0, 65504.0, float("nan"), float("inf"), None)
TYPES = (pa.list_(pa.float16(), 2), pa.list_(pa.float32(), 0), pa.list_(pa.float64()), pa.float64(), pa.string())


@pytest.fixture
def table(tmp_path) -> OutcomeTable:
    table = random_table(per_context=2, n_llms=2, n_repeats=1)
    table.write(tmp_path / "t.parquet")
    written = OutcomeTable.read(tmp_path / "t.parquet")
    vectors = np.random.default_rng(0).normal(size=(written.n_queries, 40)).astype(np.float32)
    write_embeddings(embeddings_path(tmp_path / "t.parquet"), written.queries, vectors, "model")
    return written


def read(table: OutcomeTable) -> None:
    vectors = read_embeddings(table, "embedding32")
    assert vectors.shape[0] == table.n_queries
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_damaged_embeddings_are_read_or_refused(table):
    path = embeddings_path(table.path)
    whole = path.read_bytes()

    def check(seed):
        path.write_bytes(damaged(whole, seed))
        read_or_refuse(lambda: read(table))

    fuzz(check)


def vectors_of(kind: pa.DataType, n_rows: int, rng: Random) -> pa.Array:
    """Return a column of the type, with any numbers and now and then a missing vector."""
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        size = kind.list_size if pa.types.is_fixed_size_list(kind) else rng.randrange(3)
        cells = [[rng.choice(NUMBERS) for _ in range(size)] if rng.random() < 0.9 else None for _ in range(n_rows)]
        return pa.array(cells, pa.list_(pa.float64(), size) if size == 2 else kind)
    return pa.nulls(n_rows, kind)


def test_odd_embeddings_are_read_or_refused(table):
    path = embeddings_path(table.path)

    def check(seed):
        rng = Random(seed)
        ids = list(table.query_ids)[: rng.choice((0, 1, None, None, None))]
        columns = {"query_id": ids, "embedding32": vectors_of(rng.choice(TYPES), len(ids), rng)}
        if rng.random() < 0.1:
            del columns[rng.choice(list(columns))]
        pq.write_table(pa.table(columns), path)
        read_or_refuse(lambda: read(table))

    fuzz(check)
