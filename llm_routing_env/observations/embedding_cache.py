"""Embeddings computed once per text and model, kept in the user's cache directory as arrays and JSON."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cache import cache_dir
from llm_routing_env.observations.embedding_model import Vectors, encode

BATCH_TEXTS = 1024  # what an interruption may cost


def encode_cached(
    texts: Sequence[str], model: str, *, on_progress: Callable[[int, int], None] | None = None
) -> Vectors:
    """Return L2-normalised sentence embeddings, shape (texts, dimensions); texts seen before are not encoded again.

    Args:
        texts: What to encode; equal texts are encoded once.
        model: A sentence-transformers model, see `embedding_model.encode`.
        on_progress: Called after each batch with how many texts are encoded, of how many that needed it.
    """
    folder = cache_dir("embeddings") / hashlib.sha256(_identity(model).encode()).hexdigest()[:16]
    keys = [_key(model, text) for text in texts]
    known = _read(folder, set(keys))
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    waiting = list(missing)
    for start in range(0, len(waiting), BATCH_TEXTS):
        batch = waiting[start : start + BATCH_TEXTS]
        vectors = encode([missing[key] for key in batch], model)
        _write(folder, batch, vectors, model)
        known |= dict(zip(batch, vectors, strict=True))
        if on_progress is not None:
            on_progress(start + len(batch), len(waiting))
    return np.array([known[key] for key in keys], dtype=np.float32)


def _identity(model: str) -> str:
    """Return the model's name; for a local folder also when it last changed, for its weights may."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    changed = max(path.stat().st_mtime_ns for path in (folder, *folder.rglob("*")))
    return f"{folder.resolve()}@{changed}"


def _key(model: str, text: str) -> str:
    return hashlib.sha256(f"{model}\n{text}".encode()).hexdigest()


def _read(folder: Path, wanted: set[str]) -> dict[str, Vectors]:
    """Return the vectors of the wanted keys. A shard without its list of keys was interrupted: it does not count."""
    known: dict[str, Vectors] = {}
    for listed in sorted(folder.glob("*.json")):
        keys = json.loads(listed.read_text(encoding="utf-8"))["keys"]
        rows = [row for row, key in enumerate(keys) if key in wanted and key not in known]
        if rows:
            vectors = np.load(listed.with_suffix(".npy"), allow_pickle=False, mmap_mode="r")[rows]
            known |= {keys[row]: vector for row, vector in zip(rows, vectors, strict=True)}
    return known


def _write(folder: Path, keys: list[str], vectors: Vectors, model: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shard = folder / hashlib.sha256("".join(keys).encode()).hexdigest()[:32]
    with replacing(shard.with_suffix(".npy")) as new, new.open("wb") as file:
        np.save(file, vectors, allow_pickle=False)
    with replacing(shard.with_suffix(".json")) as new:
        new.write_text(json.dumps({"model": model, "keys": keys}), encoding="utf-8")
