"""The cache of embeddings: a text is encoded once per model."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from llm_routing_env.cache import CACHE_DIR_VARIABLE
from llm_routing_env.observations import embedding_cache
from llm_routing_env.observations.embedding_cache import encode_cached

encoded: list[tuple[str, str]] = []


def fake_encode(texts: Sequence[str], model: str) -> np.ndarray:
    encoded.extend((model, text) for text in texts)
    return np.array([[len(text), len(model)] for text in texts], dtype=np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    encoded.clear()
    monkeypatch.setattr(embedding_cache, "encode", fake_encode)
    monkeypatch.setenv(CACHE_DIR_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "embeddings"


def test_texts_seen_before_are_not_encoded_again():
    first = encode_cached(["a", "bb", "a"], "m")
    assert [text for _, text in encoded] == ["a", "bb"]
    np.testing.assert_array_equal(first, [[1, 1], [2, 1], [1, 1]])
    second = encode_cached(["ccc", "bb"], "m")
    np.testing.assert_array_equal(second, [[3, 1], [2, 1]])
    assert [text for _, text in encoded] == ["a", "bb", "ccc"]


def test_another_model_encodes_anew():
    encode_cached(["a"], "m")
    assert encode_cached(["a"], "mm").tolist() == [[1, 2]]


def test_a_folder_that_changed_is_another_model(tmp_path: Path):
    weights = tmp_path / "model" / "weights"
    weights.parent.mkdir()
    weights.write_text("old")
    encode_cached(["a"], str(weights.parent))
    encode_cached(["a"], str(weights.parent))
    assert len(encoded) == 1
    later = weights.stat().st_mtime_ns + 10**9
    weights.write_text("new")
    import os

    os.utime(weights, ns=(later, later))
    encode_cached(["a"], str(weights.parent))
    assert len(encoded) == 2


def test_an_interrupted_write_does_not_count(cache: Path):
    encode_cached(["a"], "m")
    next(cache.rglob("*.json")).unlink()
    assert encode_cached(["a"], "m").tolist() == [[1, 1]]
    assert len(encoded) == 2


def test_batches_are_kept_one_by_one_and_reported(monkeypatch: pytest.MonkeyPatch, cache: Path):
    monkeypatch.setattr(embedding_cache, "BATCH_TEXTS", 2)
    seen: list[tuple[int, int]] = []
    encode_cached(["a", "bb", "ccc"], "m", on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 3), (3, 3)]
    assert len(list(cache.rglob("*.npy"))) == 2
