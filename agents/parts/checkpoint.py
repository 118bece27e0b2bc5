"""One ``.npz`` file per agent: its arrays and a JSON header, never a pickle."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.replacing import replacing

_HEADER = "header.json"
_FIELDS: dict[str, type | tuple[type, ...]] = {
    "agent": str,
    "llm_names": list,
    "observation": str,
    "observation_size": int,
    "n_sessions": (int, type(None)),
    "hyperparameters": dict,
    "generator": dict,
}
_NPY: Any = np.lib.format  # untyped in numpy
_SHAPES = {(1, 0): _NPY.read_array_header_1_0, (2, 0): _NPY.read_array_header_2_0}


def write(path: str | Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write a JSON-plain header and named arrays to ``path``, exactly under that name."""
    entries: dict[str, Any] = {_HEADER: np.array(json.dumps(header)), **arrays}
    with replacing(path) as new, new.open("wb") as file:
        np.savez(file, **entries)


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the arrays that `write` stored.

    What `write` stores is not compressed, so nothing that claims to be larger than the file is unpacked.

    Raises:
        ValueError: If the file is not an agent's checkpoint.
    """
    with Path(path).open("rb") as file, refusing(path):
        arrays = _read_arrays(file)
        header = json.loads(str(arrays.pop(_HEADER).item()))
        for name, kind in _FIELDS.items():
            if not isinstance(header, dict) or not isinstance(header.get(name), kind):
                raise ValueError(f"its header has no {name!r}")
        for name, array in arrays.items():
            if array.dtype.kind not in "biuf":
                raise ValueError(f"{name!r} is not numeric")
        if (header["n_sessions"] or 1) != len(arrays["commitments"]):
            raise ValueError("it was made for another number of sessions")
    return header, arrays


@contextmanager
def refusing(path: str | Path) -> Iterator[None]:
    """Raise a ValueError that names the file for whatever its content makes the block raise."""
    try:
        yield
    except Exception as error:  # zipfile, numpy and a constructor raise a dozen kinds for a file that is none of ours
        raise ValueError(f"{path} is not an agent's checkpoint: {error}.") from error


def require_match(path: str | Path, what: str, saved: object, expected: object) -> None:
    """Raise a ValueError that names both values unless they are equal."""
    if saved != expected:
        raise ValueError(f"{path} holds an agent with {what} {saved!r}; expected {expected!r}.")


def _read_arrays(file: BinaryIO) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        is_stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
        if not is_stored or sum(entry.file_size for entry in entries) > os.fstat(file.fileno()).st_size:
            raise ValueError("its arrays are compressed, or larger than the file")
        return {entry.filename.removesuffix(".npy"): _read_array(archive.read(entry)) for entry in entries}


def _read_array(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    shape, _, dtype = _SHAPES[_NPY.read_magic(stream)](stream)
    # Asked before numpy makes room for what the shape claims.
    if math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError("an array has another size than its shape")
    stream.seek(0)
    array: NDArray[Any] = _NPY.read_array(stream, allow_pickle=False)
    return array
