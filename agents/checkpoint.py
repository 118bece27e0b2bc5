"""One ``.npz`` file per agent: its arrays and a JSON header, never a pickle."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = "header.json"


def write(path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a JSON-plain header and named arrays to ``path``, exactly under that name."""
    entries: dict[str, Any] = {_HEADER: np.array(json.dumps(header)), **arrays}
    with Path(path).open("wb") as file:
        np.savez(file, **entries)


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the arrays that `write` stored.

    Raises:
        ValueError: If the file is not an agent's checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header: dict[str, Any] = json.loads(arrays.pop(_HEADER).item())
    except (ValueError, KeyError, AttributeError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not an agent's checkpoint: {error}.") from error
    return header, arrays


def require_match(path: str | Path, what: str, saved: object, expected: object) -> None:
    """Raise a ValueError that names both values unless they are equal."""
    if saved != expected:
        raise ValueError(f"{path} holds an agent with {what} {saved!r}; expected {expected!r}.")
