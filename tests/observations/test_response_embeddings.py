"""Embeddings of responses: each different text once, in a file beside the table."""

from pathlib import Path

import numpy as np
import pytest
from asking import voting_table
from tables import write_with_embeddings
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.observations import embedding_cache
from llm_routing_env.observations.response_embeddings import (
    NO_RESPONSE,
    different_responses,
    response_embeddings,
    response_embeddings_path,
)
from llm_routing_env.tables.parts import part_paths
from llm_routing_env.tables.table import OutcomeTable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_with_embeddings(voting_table(), tmp_path / "voting.parquet")


def test_every_call_has_the_vector_of_its_text(path: Path):
    table = OutcomeTable.read(path)
    vectors, numbers = response_embeddings(table)
    texts, _ = different_responses(table)
    said = table.texts("response")
    assert set(texts) == {"A", "B", "C"}
    for cell in np.ndindex(said.shape):
        expected = texts.index(said[cell]) if said[cell] else NO_RESPONSE
        assert numbers[cell] == expected
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-3)


def test_they_are_no_part_of_a_table_in_a_folder(path: Path):
    assert response_embeddings_path(path).name == "voting.responses.embeddings.parquet"
    assert part_paths(path.parent) == [path]


def test_a_part_of_the_queries_finds_them_too(path: Path):
    table = OutcomeTable.read(path)
    some = np.arange(0, table.n_queries, 2)
    half = table.resplit(some, table.is_train[some])
    (vectors, numbers), (of_half, its) = response_embeddings(table), response_embeddings(half)
    np.testing.assert_array_equal(of_half[its[its >= 0]], vectors[numbers[some][its >= 0]])


def test_new_responses_are_named(path: Path):
    voting_table(response=("A", "B", "D", "E")).write(path)
    with pytest.raises(ValueError, match="no embedding for 2 responses, the first is 'D'"):
        response_embeddings(OutcomeTable.read(path))


def test_the_command_writes_them(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PICKLLM_CACHE_DIR", str(path.parent / "cache"))
    monkeypatch.setattr(embedding_cache, "encode", lambda texts, model: np.eye(len(texts), 8, dtype=np.float32))
    response_embeddings_path(path).unlink()
    done = CliRunner().invoke(app, ["embed", str(path), "--responses"])
    assert done.exit_code == 0
    assert "3 different responses, 8 dimensions" in done.output
    vectors, _ = response_embeddings(OutcomeTable.read(path))
    assert vectors.shape == (3, 8)
