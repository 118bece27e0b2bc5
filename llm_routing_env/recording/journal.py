"""The journal of a recording: one JSON line per outcome, on disk before it counts."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from llm_routing_env.outcomes import Outcome

SCHEMA_VERSION = 1


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
        """
        self.path, self.n_dropped_bytes = path, 0
        self.outcomes: dict[Cell, Outcome] = {}
        if path.exists() and not resume:
            raise ValueError(
                f"{path} exists: a recording was begun. Go on with it by --resume (resume=True), or delete it."
            )
        self._file = open(path, "a+b")  # noqa: SIM115 (closed by close)
        try:
            self._lock()
            self._read(identity)
        except BaseException:
            self._file.close()
            raise

    def append(self, cell: Cell, outcome: Outcome) -> None:
        """Write an outcome and wait until the disk has it."""
        self._write_line(asdict(cell) | asdict(outcome))
        self.outcomes[cell] = outcome

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

    def _read(self, identity: Mapping[str, Any]) -> None:
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            self.n_dropped_bytes = len(lines.pop())
            self._file.truncate(sum(map(len, lines)))
        if not lines:
            self._write_line({"journal": SCHEMA_VERSION, **identity})
            return
        self._check_header(self._parse(lines[0], 1), identity)
        for number, line in enumerate(lines[1:], start=2):
            self._take(self._parse(line, number), number)

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{self.path}, line {number}: not JSON ({error}); delete the journal.") from error
        if not isinstance(record, dict):
            raise ValueError(f"{self.path}, line {number}: expected a JSON object; delete the journal.")
        return record

    def _check_header(self, header: dict[str, Any], identity: Mapping[str, Any]) -> None:
        expected = {"journal": SCHEMA_VERSION, **identity}
        different = [key for key in expected if header.get(key) != expected[key]]
        if different:
            key = different[0]
            raise ValueError(
                f"{self.path} is the journal of another recording: its {key} is {header.get(key)!r}, "
                f"now it is {expected[key]!r}. Delete it, or record into another file."
            )

    def _take(self, record: dict[str, Any], number: int) -> None:
        try:
            cell = Cell(record.pop("query_id"), record.pop("llm"), record.pop("repeat"))
            self.outcomes[cell] = Outcome(**record)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self.path}, line {number}: not an outcome ({error}); delete the journal.") from error

    def _write_line(self, record: Mapping[str, Any]) -> None:
        # A single write: a line that is interrupted has no newline at its end, which is how it is recognised.
        self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
