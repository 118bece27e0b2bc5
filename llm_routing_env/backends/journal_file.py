"""The file of a journal: its tables, its checks, and what is said of one that cannot be used."""

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from llm_routing_env.tables.outcome import Outcome

SCHEMA_VERSION = 4
OUTCOME = tuple(field.name for field in fields(Outcome) if field.name != "accuracy")
KEPT = ("request", "repeat", "query_id", "llm", *OUTCOME)
COLUMNS = ", ".join(KEPT)
_SCHEMA = f"""
CREATE TABLE runs (run INTEGER PRIMARY KEY, began_at TEXT NOT NULL, facts TEXT NOT NULL);
CREATE TABLE llms (llm TEXT PRIMARY KEY, identity TEXT NOT NULL);
CREATE TABLE attempts
  (attempt INTEGER PRIMARY KEY, run INTEGER NOT NULL, paid_usd REAL NOT NULL, is_over INTEGER NOT NULL, crc32 INTEGER);
CREATE TABLE outcomes (number INTEGER PRIMARY KEY, run INTEGER NOT NULL, {COLUMNS}, crc32 INTEGER NOT NULL);
CREATE INDEX outcome_of ON outcomes (request, repeat);
PRAGMA user_version = {SCHEMA_VERSION};
"""
# Files that this process has open. They must not be opened and closed beside SQLite, which would let go of its locks.
_OPEN: set[tuple[int, int, int]] = set()


class Kept(NamedTuple):
    """One outcome of a journal.

    Attributes:
        request: Digest of what was asked of whom.
        repeat: For the how-many-eth time.
        query_id: The query's name.
        llm: The LLM's name.
        outcome: What came of it.
    """

    request: bytes
    repeat: int
    query_id: str
    llm: str
    outcome: Outcome


def check_place(path: Path) -> None:
    """Check that a journal may be opened at a path, before SQLite touches it.

    Raises:
        ValueError: Its folder is missing, this process has it open, or it is of an earlier version.
    """
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent.resolve()}.")
    if path.exists() and _place(path) in _OPEN:
        raise _in_use(path)
    for old in (path, path.with_name(path.name.removesuffix(".sqlite") + ".jsonl")):
        with suppress(OSError), open(old, "rb") as file:
            if file.read(11) == b'{"journal":':  # of JSON lines, as versions before wrote them
                raise ValueError(
                    f"{old} is a journal of an earlier version: `pickllm export journal {old} outcomes.csv` writes "
                    "what it holds. Then move it away, or record into another file."
                )
    log = path.with_name(f"{path.name}-wal")
    if not path.exists() and log.exists() and log.stat().st_size:  # SQLite would delete it
        raise ValueError(
            f"{log} belongs to a journal that was moved or deleted, and holds its last outcomes: move it to where that "
            "journal is, or elsewhere."
        )


class _Connection(sqlite3.Connection):
    """Is known to be open until it is closed."""

    place: tuple[int, int, int] | None = None

    def close(self) -> None:
        super().close()
        _OPEN.discard(self.place)


def open_file(path: Path, *, resume: bool, must_exist: bool = False) -> sqlite3.Connection:
    """Return a journal's connection; a file that is not there, or empty, becomes a journal unless one must exist.

    Raises:
        ValueError: It is in use, damaged, or no journal; or there is one, and `resume` is false.
        OSError: It cannot be opened, or written.
    """
    is_begun = path.exists() and path.stat().st_size > 0
    try:
        connection = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False, factory=_Connection
        )
    except sqlite3.Error as error:
        raise OSError(f"{path} cannot be opened: {error}.") from error
    connection.text_factory = _text
    try:
        # Exclusive: a second writer is refused, and no shared memory is needed, which network folders lack.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        if is_begun and not resume:
            raise ValueError(f"{path} exists: a recording was begun. Go on with it by --resume (resume=True).")
        is_new = _is_new(connection, path)
        if must_exist and is_new:
            raise ValueError(f"{path} is empty: there is no journal in it.")
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        if is_new:
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
    except sqlite3.Error as error:
        connection.close()
        raise explained(path, error) from error
    except UnicodeDecodeError as error:  # SQLite quotes what it does not understand
        connection.close()
        raise _damaged(path, "its tables are not legible") from error
    except ValueError:
        connection.close()
        raise
    connection.place = _place(path)
    _OPEN.add(connection.place)
    return connection


def _is_new(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether a file has no table yet. Nothing is written.

    Raises:
        ValueError: The file is no journal, or its tables are damaged.
    """
    (faults,) = connection.execute("PRAGMA integrity_check(1)").fetchone()  # the index too: what it hides is lost
    if faults != "ok":
        raise _damaged(path, " ".join(faults.replace("*", "").split()))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return True
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} is no journal of this version ({version}, not {SCHEMA_VERSION}).")
    tables = [statement.strip() for statement in _SCHEMA.split(";") if "CREATE" in statement]
    stored = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    if sorted(sql for (sql,) in stored) != sorted(tables):
        raise _damaged(path, "its tables are not a journal's")
    for _ in paid(connection, path):
        pass  # checked before anything is written
    return False


def paid(connection: sqlite3.Connection, path: Path) -> Iterator[tuple[float, int]]:
    """Yield what each request did cost, and whether it is over.

    Raises:
        ValueError: One is damaged: what was spent is not known.
    """
    for paid_usd, is_over, crc32 in connection.execute("SELECT paid_usd, is_over, crc32 FROM attempts"):
        if crc32 != checksum(paid_usd, is_over):
            raise _damaged(path, "what was spent is not legible")
        yield paid_usd, is_over


def identities(connection: sqlite3.Connection, path: Path) -> dict[str, dict[str, Any]]:
    """Return what decided the answers of each LLM, by name.

    Raises:
        ValueError: That is damaged.
    """
    rows = connection.execute("SELECT llm, identity FROM llms").fetchall()
    try:
        return {name: dict(json.loads(text)) for name, text in rows}
    except (ValueError, TypeError):
        raise _damaged(path, "what decided its answers is not legible") from None


def n_damaged(connection: sqlite3.Connection) -> int:
    """Return how many outcomes are not as they were written."""
    return int(connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]) - sum(1 for _ in sound(connection))


def sound(connection: sqlite3.Connection, where: str = "", values: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the `KEPT` values of outcomes that are as they were written: of others it is as if they were not there."""
    return (kept for _, kept in sound_of_runs(connection, where, values))


def sound_of_runs(
    connection: sqlite3.Connection, where: str = "", values: Sequence[Any] = ()
) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the same, each with the number of its run."""
    for run, *kept, crc32 in connection.execute(f"SELECT run, {COLUMNS}, crc32 FROM outcomes {where}", values):
        if crc32 == checksum(*kept):
            yield run, tuple(kept)


def as_kept(values: Sequence[Any]) -> Kept:
    """Return an outcome from its `KEPT` values."""
    request, repeat, query_id, llm, *outcome = values
    return Kept(request, repeat, query_id, llm, Outcome(**dict(zip(OUTCOME, outcome, strict=True))))


def stored_values(kept: Kept) -> tuple[Any, ...]:
    """Return the `KEPT` values of an outcome as SQLite gives them back: numpy's floats are floats."""
    values = (getattr(kept.outcome, name) for name in OUTCOME)
    request, repeat, query_id, llm = kept[:4]
    named = (
        request,
        repeat,
        query_id.encode(errors="backslashreplace").decode(),
        llm,
    )  # SQLite takes no half character
    return (*named, *(float(value) if isinstance(value, float) else value for value in values))


def checksum(*values: Any) -> int:
    """Return what tells an outcome from a damaged one."""
    return zlib.crc32(repr(values).encode(errors="surrogatepass"))


def explained(path: Path, error: sqlite3.Error) -> Exception:
    """Return what to raise for an error of SQLite's."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_BUSY"):
        return _in_use(path)
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR")):
        return _damaged(path, str(error))
    return OSError(
        f"{path} cannot be written: {error}. Its outcomes are safe; make room and go on with --resume (resume=True)."
    )


def _in_use(path: Path) -> ValueError:
    return ValueError(f"{path}: this or another process is recording into this journal.")


def _damaged(path: Path, fault: str) -> ValueError:
    return ValueError(
        f"{path} is damaged, or no journal: {fault}. Nothing was changed: put back a copy, or see what SQLite's "
        f"own `sqlite3 {path} .recover` finds."
    )


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")  # damaged text is no sound outcome, and nothing to fail at


def _place(path: Path) -> tuple[int, int, int]:
    """Return what tells this process's use of a file from that of any other."""
    stat = path.stat()
    return os.getpid(), stat.st_dev, stat.st_ino
