"""The journal of a recording: one line per outcome, on disk before it counts, and one per request, before it is sent.

A request without an outcome was in flight when the recording stopped. Each line is JSON that ends in a checksum of
itself, so that a journal that was damaged anywhere is told from a whole one.
"""

import contextlib
import fcntl
import json
import os
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, get_args

from llm_routing_env.tables.outcome import Outcome

SCHEMA_VERSION = 3
_SEAL = b', "crc32": '
_BOUND = 2**63  # of every number; what a table's integers hold
Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing to record: a query on an LLM, for the n-th time."""

    query_id: str
    llm: str
    repeat: int


class Journal:
    """Append-only file of outcomes; its first line says what is being recorded.

    Attributes:
        outcomes: What the journal holds, by cell; a later line of the same cell replaces an earlier one.
        replaced: The earlier ones: paid for as well.
        unanswered: Requests sent of each cell that have no outcome here.
        n_dropped_bytes: Length of the torn last line that a crash had left, 0 if there was none.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any], *, resume: bool) -> None:
        """Open a new journal, or with `resume` go on with an old one.

        Args:
            path: The journal's file.
            identity: What is recorded, JSON-plain; a journal of anything else is refused.
            resume: Whether to go on where a journal stops; without one a new journal is begun.

        Raises:
            ValueError: The file exists and `resume` is false, or it is not this recording's, or it is damaged.
            OSError: The file cannot be written, as on a full disk.
        """
        self.path, self.n_dropped_bytes = path, 0
        self.outcomes: dict[Cell, Outcome] = {}
        self.replaced: list[tuple[Cell, Outcome]] = []
        self.unanswered: Counter[Cell] = Counter()
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 (closed by close)
        try:
            self._lock()
            self._size = os.fstat(self._file.fileno()).st_size
            if self._size and not resume:
                raise ValueError(
                    f"{path} exists: a recording was begun. Go on with it by --resume (resume=True), or delete it."
                )
            self._read({"journal": SCHEMA_VERSION, **identity})
        except BaseException:
            self.close()
            raise

    def announce(self, cell: Cell) -> None:
        """Write that a cell's request is about to be sent.

        Nobody waits for the disk: a process that is killed leaves the line behind, only a machine that loses power
        may not.
        """
        self._write(_seal({"asked": astuple(cell)}))
        self.unanswered[cell] += 1

    def append(self, cell: Cell, outcome: Outcome) -> None:
        """Write an outcome and wait until the disk has it.

        Raises:
            OSError: It cannot be written; the journal is as it was before.
            ValueError: A backend gave what no table can hold, such as a cost that is not a number.
        """
        _pop_fields(Outcome, asdict(outcome))
        self._write(_seal(asdict(cell) | asdict(outcome)), sync=True)
        self._take(cell, outcome)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()

    def __enter__(self) -> "Journal":
        """Return the open journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"{self.path}: another process is recording into this journal.") from None

    def _read(self, header: Mapping[str, Any]) -> None:
        with open(self.path, "rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):  # every line is one write, so only the last can be torn
                    self.n_dropped_bytes = len(line)
                    self._size -= len(line)
                    self._file.truncate(self._size)
                elif number == 1:
                    self._check_header(self._parse(line, number), header)
                else:
                    self._read_line(self._parse(line, number), number)
        if self._size == 0:
            self._write(_seal(header), sync=True)
            _sync_folder(self.path.parent)

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            return _unseal(line)
        except (ValueError, RecursionError) as error:
            raise self._damaged(number, error) from error

    def _check_header(self, header: dict[str, Any], expected: Mapping[str, Any]) -> None:
        different = [key for key in expected if header.get(key) != expected[key]]
        if different:
            key = different[0]
            raise ValueError(
                f"{self.path} is the journal of another recording: its {key} is {header.get(key)!r}, "
                f"now it is {expected[key]!r}. Delete it, or record into another file."
            )

    def _read_line(self, record: dict[str, Any], number: int) -> None:
        try:
            if "asked" in record:
                cell = dict(zip(Cell.__slots__, record.pop("asked"), strict=True))
                self.unanswered[_pop_fields(Cell, cell)] += 1
            else:
                self._take(_pop_fields(Cell, record), _pop_fields(Outcome, record))
            if record:
                raise ValueError(f"unknown key {next(iter(record))!r}")
        except (TypeError, ValueError) as error:
            raise self._damaged(number, error) from error

    def _damaged(self, number: int, error: Exception) -> ValueError:
        remedy = (
            "It says what is recorded: put back a copy of the journal, or write that line anew (docs/reliability.md)."
            if number == 1
            else "Delete that line and resume: its query is asked again, all other outcomes stay. Or put back a copy."
        )
        return ValueError(f"{self.path}, line {number} is damaged: {error}. Nothing was changed. {remedy}")

    def _take(self, cell: Cell, outcome: Outcome) -> None:
        if cell in self.outcomes:
            self.replaced.append((cell, self.outcomes[cell]))
        self.outcomes[cell] = outcome
        self.unanswered[cell] -= 1
        if self.unanswered[cell] <= 0:
            del self.unanswered[cell]

    def _write(self, line: bytes, *, sync: bool = False) -> None:
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            if sync:
                os.fsync(self._file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):  # else the half line is dropped when the journal is resumed
                self._file.truncate(self._size)
            raise OSError(
                f"{self.path} cannot be written: {error.strerror}. Its {len(self.outcomes)} outcomes are safe; "
                "make room and go on with --resume (resume=True)."
            ) from error
        self._size += len(line)


def _seal(record: Mapping[str, Any]) -> bytes:
    # Lone surrogates, which no file may hold, pass: what was paid for is kept first and looked at later.
    body = json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass")[:-1]
    return body + _SEAL + b"%d}\n" % zlib.crc32(body)


def _unseal(line: bytes) -> dict[str, Any]:
    body, _, crc = line.rpartition(_SEAL)
    if crc != b"%d}\n" % zlib.crc32(body):
        raise ValueError("its checksum does not fit")
    record: dict[str, Any] = json.loads(body + b"}")
    return record


def _pop_fields(kind: type[Record], record: dict[str, Any]) -> Record:
    """Take the fields of a dataclass out of a record, checked: text, and numbers from 0."""
    values = {field.name: record.pop(field.name, None) for field in fields(kind)}  # type: ignore[arg-type]
    for field in fields(kind):  # type: ignore[arg-type]
        if not _fits(values[field.name], get_args(field.type) or (field.type,)):
            raise ValueError(f"{field.name} is {values[field.name]!r}")
    return kind(**values)


def _fits(value: object, kinds: tuple[Any, ...]) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float in kinds or (int in kinds and isinstance(value, int))) and 0 <= value < _BOUND
    return type(value) in kinds


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has a new file's name: syncing the file promises its content only."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
