"""Somebody's files: which they are, of what kind, and their bytes, decompressed within bounds."""

import io
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from llm_routing_env.tables.decoded import allowed_bytes

PARQUET, CSV, JSON = "parquet", "csv", "json"
_KINDS = {".parquet": PARQUET, ".pq": PARQUET, ".csv": CSV, ".tsv": CSV, ".json": JSON, ".jsonl": JSON, ".ndjson": JSON}
_EXPECTED = "expected a .parquet, .csv, .tsv, .json or .jsonl file, each also .gz or .zst"
_COMPRESSED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_COMPRESSED_SUFFIXES = (".gz", ".zst", ".zstd")
# What files begin with that are no data, though their names say so.
_OTHERS = {
    b"<": "a page of HTML or XML",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"version https://git-lfs": "a pointer of Git LFS: `git lfs pull` fetches the file itself",
}
_PICKLED = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))
_LOOKED_AT = 64


@dataclass(frozen=True)
class DataFile:
    """A file of rows.

    Attributes:
        path: Where it lies.
        kind: `PARQUET`, `CSV` or `JSON`.
        compression: "gzip", "zstd", or None.
    """

    path: Path
    kind: str
    compression: str | None

    @contextmanager
    def opened(self) -> Iterator["CountedBytes"]:
        """Open the file's bytes, decompressed.

        Raises:
            ValueError: While reading: the compression is damaged, or the bytes are more than such a file may say.
        """
        with open(self.path, "rb") as raw, CountedBytes(raw, self) as content:
            yield content

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """Give a file with the decompressed bytes, for who must read them out of order."""
        if self.compression is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "decompressed")
            with self.opened() as content, open(copy, "wb") as file:
                while part := content.read(2**20):
                    file.write(part)
            yield copy


class CountedBytes(io.RawIOBase):
    """The bytes of a file, decompressed and counted."""

    def __init__(self, raw: BinaryIO, file: DataFile) -> None:
        """Read from an open file; `file` says what it is."""
        self._raw, self._path = raw, file.path
        self._size = os.fstat(raw.fileno()).st_size
        self._left = allowed_bytes(self._size) if file.compression else self._size
        self._content = pa.CompressedInputStream(pa.PythonFile(raw), file.compression) if file.compression else raw

    @property
    def share_read(self) -> float:
        """Return how much of the file is read, from 0 to 1."""
        return self._raw.tell() / max(self._size, 1)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, target: "memoryview | bytearray") -> int:  # type: ignore[override]
        """Read the next bytes."""
        try:
            found = self._content.read(len(target))
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{self._path}: its compression is damaged: {error}.") from error
        self._left -= len(found)
        if self._left < 0:
            size = allowed_bytes(self._size)
            raise ValueError(
                f"{self._path}: decompresses to more than {size} bytes, which no data of {self._size} does."
            )
        target[: len(found)] = found
        return len(found)


def find_files(paths: Sequence[Path], patterns: Sequence[str] = ("*",)) -> list[DataFile]:
    """Return files, and of folders what is in them, at any depth, in the order of their names.

    Args:
        paths: Files and folders.
        patterns: Which names in folders are meant; hidden ones, and what has no suffix of data, never are.

    Raises:
        ValueError: There is none, or one is no data.
    """
    found = []
    for path in paths:
        if path.is_dir():
            try:
                named = {each for pattern in patterns for each in path.rglob(pattern)}
            except (ValueError, NotImplementedError) as error:
                raise ValueError(f"--files must be a pattern of names such as 'run-*.jsonl': {error}.") from None
            inside = [each for each in sorted(named) if _is_data(each.relative_to(path)) and not each.is_dir()]
            if not inside:
                raise ValueError(f"{path}: {_EXPECTED} in the folder (named {' or '.join(patterns)}), found none.")
            found += inside
        else:
            found.append(path)
    return [_look_at(path) for path in found]


def _is_data(path: Path) -> bool:
    return not any(part.startswith(".") for part in path.parts) and _plain_suffix(path) in _KINDS


def data_name(path: Path) -> str:
    """Return a file's name without what says its kind and compression; other dots are part of a name."""
    name = _uncompressed(path)
    return name.stem if name.suffix.lower() in _KINDS else name.name


def _uncompressed(path: Path) -> Path:
    return path.with_suffix("") if path.suffix.lower() in _COMPRESSED_SUFFIXES else path


def _plain_suffix(path: Path) -> str:
    return _uncompressed(path).suffix.lower()


def _look_at(path: Path) -> DataFile:
    if path.is_symlink() and not path.exists():
        raise ValueError(f"{path}: a link to {os.readlink(path)!r}, where nothing is.")
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path}: {_EXPECTED}, found no regular file.")
    with open(path, "rb") as raw:
        start = _beginning(raw)
    compression = next((name for magic, name in _COMPRESSED.items() if start.startswith(magic)), None)
    file = DataFile(path, _KINDS.get(_plain_suffix(path), ""), compression)
    if compression:
        with file.opened() as content:
            start = _beginning(content)
    _refuse_others(path, start)
    if not file.kind:
        raise ValueError(f"{path}: {_EXPECTED}, found {path.suffix!r}.")
    return file


def _beginning(content: Any) -> bytes:
    """Return the first bytes of a file, from where it is not blank."""
    start = b""
    while not start.strip() and (part := content.read(_LOOKED_AT)):
        start = part
    return start


def _refuse_others(path: Path, start: bytes) -> None:
    if not start.strip():
        raise ValueError(f"{path}: the file is empty.")
    # The protocols that can run programs; text begins with neither.
    if path.suffix.lower() in (".pkl", ".pickle") or start[:2] in _PICKLED:
        target = path.with_suffix(".jsonl").name
        raise ValueError(
            f"{path}: a pickle can run any program when it is opened, so pickllm does not open it. If you trust where "
            f'it comes from, convert it: python -c "import pandas; pandas.read_pickle({path.name!r}).to_json('
            f"{target!r}, orient='records', lines=True)\""
        )
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if other := next((name for magic, name in _OTHERS.items() if text.startswith(magic)), None):
        raise ValueError(f"{path}: {_EXPECTED}, found {other}.")
