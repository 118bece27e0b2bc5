"""The journal: every outcome that was paid for, on disk before it is used, and every request before it is sent.

An SQLite file. Whatever is to be written at the same time is written in one transaction, which waits for the disk if
there is an outcome in it; a request is announced without waiting, so that a process that is killed leaves word of it,
and only a machine that loses power may not.
"""

import asyncio
import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple

from llm_routing_env.tables.outcome import Outcome

SCHEMA_VERSION = 4
_OUTCOME = tuple(field.name for field in fields(Outcome) if field.name != "accuracy")
_KEPT = ("request", "repeat", "query_id", "llm", *_OUTCOME)
_SCHEMA = f"""
CREATE TABLE runs (run INTEGER PRIMARY KEY, began_at TEXT NOT NULL, facts TEXT NOT NULL);
CREATE TABLE llms (llm TEXT PRIMARY KEY, identity TEXT NOT NULL);
CREATE TABLE attempts
  (attempt INTEGER PRIMARY KEY, run INTEGER NOT NULL, paid_usd REAL NOT NULL, is_over INTEGER NOT NULL);
CREATE TABLE outcomes (number INTEGER PRIMARY KEY, run INTEGER NOT NULL, {", ".join(_KEPT)}, crc32 INTEGER NOT NULL);
CREATE INDEX outcome_of ON outcomes (request, repeat);
PRAGMA user_version = {SCHEMA_VERSION};
"""
_COLUMNS = ", ".join(_KEPT)
# Files that this process has open. They must not be opened and closed beside SQLite, which would let go of its locks.
_OPEN: set[tuple[int, int, int]] = set()


class Spent(NamedTuple):
    """What a journal's requests cost.

    Attributes:
        usd: US dollars; a request that was never heard of again counts at the most that it could cost.
        n_requests: Requests sent.
        n_lost: Requests never heard of again: in flight when a run was stopped.
    """

    usd: float
    n_requests: int
    n_lost: int


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


class _Work(NamedTuple):
    """Something to do in a transaction, and whom to tell."""

    do: Callable[[sqlite3.Connection], Any]
    is_outcome: bool
    told: "asyncio.Future[Any] | Future[Any] | None"


class Journal:
    """A journal that is open; one process at a time may have it.

    All of SQLite is done in one thread, so that neither the event loop nor the caller waits for the disk.

    Attributes:
        path: Its file.
        n_damaged: Rows that were damaged when it was opened; their outcomes are asked for again.
    """

    def __init__(self, path: str | Path, *, resume: bool) -> None:
        """Begin a journal, or with `resume` go on with one that is there.

        Raises:
            ValueError: The file exists and `resume` is false, is in use, or is no journal.
            OSError: The file cannot be written, as on a full disk.
        """
        self.path = Path(path)
        if not self.path.parent.is_dir():
            raise ValueError(f"{path}: there is no folder {self.path.parent.resolve()}.")
        if self.path.exists() and _place(self.path) in _OPEN:
            raise _in_use(self.path)
        _require_no_old_journal(self.path)
        _require_no_orphan(self.path)
        if self.path.exists() and self.path.stat().st_size and not resume:
            raise ValueError(f"{path} exists: a recording was begun. Go on with it by --resume (resume=True).")
        self._process, self._run = os.getpid(), 0
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock, self._is_closed = threading.Lock(), False
        self._thread = threading.Thread(target=self._write_all, name="pickllm-journal", daemon=True)
        self._opened: Future[int] = Future()
        self._thread.start()
        self.n_damaged = self._opened.result()

    def begin_run(self, facts: Mapping[str, Any], identities: Mapping[str, Mapping[str, Any]]) -> None:
        """Note under which circumstances outcomes come from now on.

        Args:
            facts: JSON-plain: pool, prices, concurrency, versions, hardware.
            identities: For each LLM, by name, what decides its answers.

        Raises:
            ValueError: The journal has outcomes of an LLM of the same name that answered otherwise, or of no LLM here.
        """

        def do(connection: sqlite3.Connection) -> int:
            known = {name: json.loads(text) for name, text in connection.execute("SELECT llm, identity FROM llms")}
            self._require_same(known, identities)
            rows = [(name, json.dumps(identity)) for name, identity in identities.items() if name not in known]
            connection.executemany("INSERT INTO llms VALUES (?, ?)", rows)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            values = (now, json.dumps(facts))
            return connection.execute("INSERT INTO runs (began_at, facts) VALUES (?, ?)", values).lastrowid or 0

        self._run = self._wait(do)

    def _require_same(self, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        if known and not known.keys() & given.keys():
            raise ValueError(
                f"{self.path} is the journal of another pool: it has outcomes of {sorted(known)}, the pool has "
                f"{sorted(given)}. Record into another file."
            )
        for name in known.keys() & given.keys():
            for key in known[name] | given[name]:
                before, now = known[name].get(key), json.loads(json.dumps(given[name].get(key)))
                if before != now:
                    raise ValueError(
                        f"{self.path} has outcomes of {name!r} with {key} {before!r}, now it is {now!r}, which answers "
                        "otherwise: give the LLM another name, or record into another file."
                    )

    async def announce(self, worst_usd: float) -> int:
        """Write that a request is about to be sent that costs so much at most; return its number."""
        values = (self._run, worst_usd)
        number: int = await self._do(
            lambda connection: (
                connection.execute("INSERT INTO attempts (run, paid_usd, is_over) VALUES (?, ?, 0)", values).lastrowid
            )
        )
        return number

    def settle(self, attempt: int, paid_usd: float, *, was_sent: bool) -> None:
        """Write what a request did cost that gave no outcome, or that it was never sent; nobody waits for it."""

        def do(connection: sqlite3.Connection) -> None:
            if was_sent:
                _settle(connection, attempt, paid_usd)
            else:
                connection.execute("DELETE FROM attempts WHERE attempt = ?", (attempt,))

        self._put(do, is_outcome=False, told=None)

    async def append(self, kept: Kept, attempt: int | None, paid_usd: float) -> None:
        """Write an outcome, and what its last request cost, and wait until the disk has it.

        Raises:
            OSError: It cannot be written; what was written before is safe.
        """
        values = (kept.request, kept.repeat, kept.query_id, kept.llm, *_values(kept.outcome))

        def do(connection: sqlite3.Connection) -> None:
            if attempt is not None:
                _settle(connection, attempt, paid_usd)
            marks = ", ".join("?" * (len(_KEPT) + 2))
            row = (self._run, *values, _checksum(*values))
            connection.execute(f"INSERT INTO outcomes (run, {_COLUMNS}, crc32) VALUES ({marks})", row)

        await self._do(do, is_outcome=True)

    async def find(self, request: bytes, repeat: int) -> Outcome | None:
        """Return the last outcome of a request's n-th repeat; None if there is none."""
        where = "WHERE request = ? AND repeat = ? ORDER BY number DESC"
        kept: Kept | None = await self._do(lambda connection: next(_sound(connection, where, (request, repeat)), None))
        return None if kept is None else kept.outcome

    def spent(self) -> Spent:
        """Return what all of the journal's requests cost, those of earlier runs included."""
        query = "SELECT total(paid_usd), count(*), count(*) FILTER (WHERE NOT is_over) FROM attempts"
        return Spent(*self._wait(lambda connection: connection.execute(query).fetchone()))

    def recorded(self) -> Iterator[tuple[bytes, int, bool]]:
        """Return the request, the repeat and whether it failed of every outcome; a later one of a pair replaces it."""
        rows: list[tuple[bytes, int, bool]] = self._wait(
            lambda connection: [
                (kept.request, kept.repeat, kept.outcome.error is not None)
                for kept in _sound(connection, "ORDER BY number")
            ]
        )
        return iter(rows)

    def outcomes_of(self, requests: list[bytes]) -> dict[tuple[bytes, int], Outcome]:
        """Return every outcome of some requests, by request and repeat."""
        marks = ", ".join("?" * len(requests))
        where = f"WHERE request IN ({marks}) ORDER BY number"
        rows = self._wait(lambda connection: list(_sound(connection, where, requests)))
        return {(kept.request, kept.repeat): kept.outcome for kept in rows}

    def rows(self) -> list[dict[str, Any]]:
        """Return everything that is known of every outcome, in the order in which they came, for other programs."""
        known = ", ".join((*_KEPT[1:], "began_at"))
        query = f"SELECT {known} FROM outcomes JOIN runs USING (run) WHERE {_SOUND} ORDER BY number"

        def do(connection: sqlite3.Connection) -> list[dict[str, Any]]:
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

        rows: list[dict[str, Any]] = self._wait(do)
        return rows

    def close(self) -> None:
        """Write what is waiting and close the file; may be called twice."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if not self._is_closed:
                self._waiting.put(None)
            self._is_closed = True
        self._thread.join()

    def __enter__(self) -> "Journal":
        """Return the open journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    async def _do(self, do: Callable[[sqlite3.Connection], Any], *, is_outcome: bool = False) -> Any:
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(do, is_outcome=is_outcome, told=told)
        return await told

    def _wait(self, do: Callable[[sqlite3.Connection], Any]) -> Any:
        told: Future[Any] = Future()
        self._put(do, is_outcome=False, told=told)
        return told.result()

    def _put(self, do: Callable[[sqlite3.Connection], Any], *, is_outcome: bool, told: Any) -> None:
        if os.getpid() != self._process:
            raise RuntimeError(f"{self.path} belongs to the process that opened it: open a journal of its own here.")
        with self._lock:  # nothing is put behind the word that it is all
            if self._is_closed:
                raise ValueError(f"{self.path} is closed.")
            self._waiting.put(_Work(do, is_outcome, told))

    def _write_all(self) -> None:
        """Do all the work, as long as the journal is open: what its thread runs."""
        try:
            connection, n_damaged = _open(self.path)
        except Exception as error:
            self._opened.set_exception(error)
            return
        _OPEN.add(place := _place(self.path))
        self._opened.set_result(n_damaged)
        is_open = True
        while is_open:
            batch = [self._waiting.get()]
            with suppress(Empty):
                while True:
                    batch.append(self._waiting.get_nowait())
            is_open = None not in batch
            self._transact(connection, [work for work in batch if work is not None])
        connection.close()
        _OPEN.discard(place)

    def _transact(self, connection: sqlite3.Connection, batch: list[_Work]) -> None:
        """Do everything in one transaction, and tell everybody what came of it."""
        results: list[Any] = []
        try:
            waits = any(work.is_outcome for work in batch)
            connection.execute(f"PRAGMA synchronous = {'FULL' if waits else 'NORMAL'}")
            connection.execute("BEGIN")
            for work in batch:
                results.append(_try(work.do, connection))
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            results = [_explained(self.path, error)] * len(batch)
        _tell(batch, results)


def _try(do: Callable[[sqlite3.Connection], Any], connection: sqlite3.Connection) -> Any:
    try:
        return do(connection)
    except sqlite3.Error:
        raise  # the whole transaction's
    except Exception as error:
        return error


def _tell(batch: list[_Work], results: list[Any]) -> None:
    """Settle the futures: those of an event loop all at once, since waking one up costs as much as the write."""
    waiting: dict[asyncio.AbstractEventLoop, list[tuple[Any, Any]]] = {}
    for work, result in zip(batch, results, strict=True):
        if isinstance(work.told, asyncio.Future):
            waiting.setdefault(work.told.get_loop(), []).append((work.told, result))
        elif work.told is not None:
            _settle_future(work.told, result)
    for loop, pairs in waiting.items():
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(_settle_futures, pairs)


def _settle_futures(pairs: list[tuple[Any, Any]]) -> None:
    for told, result in pairs:
        _settle_future(told, result)


def _settle_future(told: Any, result: Any) -> None:
    if told.done():
        return
    if isinstance(result, Exception):
        told.set_exception(result)
    else:
        told.set_result(result)


def _settle(connection: sqlite3.Connection, attempt: int, paid_usd: float) -> None:
    connection.execute("UPDATE attempts SET paid_usd = ?, is_over = 1 WHERE attempt = ?", (paid_usd, attempt))


def _open(path: Path) -> tuple[sqlite3.Connection, int]:
    """Return a journal's connection, and how many of its rows are damaged."""
    try:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise OSError(f"{path} cannot be opened: {error}.") from error
    connection.text_factory = _text
    try:
        # Exclusive: a second writer is refused, and no shared memory is needed, which network folders lack.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        n_damaged = _n_damaged(connection, path)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL")
        if n_damaged is None:
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
    except sqlite3.Error as error:
        connection.close()
        raise _explained(path, error) from error
    except ValueError:
        connection.close()
        raise
    return connection, n_damaged or 0


def _n_damaged(connection: sqlite3.Connection, path: Path) -> int | None:
    """Return how many rows are damaged; None for a file without any table. Nothing is written.

    Raises:
        ValueError: The file is no journal, or its tables are damaged.
    """
    (faults,) = connection.execute("PRAGMA integrity_check(1)").fetchone()  # the index too: what it hides is lost
    if faults != "ok":
        raise _damaged(path, " ".join(faults.replace("*", "").split()))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == 0 and not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} is no journal of this version ({version}, not {SCHEMA_VERSION}).")
    return int(connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]) - sum(1 for _ in _sound(connection))


def _sound(connection: sqlite3.Connection, where: str = "", values: Sequence[Any] = ()) -> Iterator[Kept]:
    """Yield the outcomes that are as they were written: one that is damaged is as if it were not there."""
    for *kept, crc32 in connection.execute(f"SELECT {_COLUMNS}, crc32 FROM outcomes {where}", values):
        if crc32 == _checksum(*kept):
            request, repeat, query_id, llm, *outcome = kept
            yield Kept(request, repeat, query_id, llm, Outcome(**dict(zip(_OUTCOME, outcome, strict=True))))


def _text(stored: bytes) -> str:
    return stored.decode(errors="surrogateescape")  # damaged text is no sound outcome, and nothing to fail at


def _explained(path: Path, error: sqlite3.Error) -> Exception:
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


def _checksum(*values: Any) -> int:
    return zlib.crc32(repr(values).encode(errors="surrogatepass"))


def _values(outcome: Outcome) -> tuple[Any, ...]:
    """Return an outcome's values as SQLite gives them back: numpy's floats are floats."""
    values = (getattr(outcome, name) for name in _OUTCOME)
    return tuple(float(value) if isinstance(value, float) else value for value in values)


def _place(path: Path) -> tuple[int, int, int]:
    """Return what tells this process's use of a file from that of any other."""
    stat = path.stat()
    return os.getpid(), stat.st_dev, stat.st_ino


def _require_no_orphan(path: Path) -> None:
    """Raise ValueError for outcomes whose journal is gone: SQLite would delete them."""
    log = path.with_name(f"{path.name}-wal")
    if not path.exists() and log.exists() and log.stat().st_size:
        raise ValueError(
            f"{log} belongs to a journal that was moved or deleted, and holds its last outcomes: move it to where that "
            "journal is, or delete it."
        )


def _require_no_old_journal(path: Path) -> None:
    """Raise ValueError for a journal of JSON lines, as versions before wrote them."""
    for old in (path, path.with_name(path.name.removesuffix(".sqlite") + ".jsonl")):
        with suppress(OSError), open(old, "rb") as file:
            if file.read(11) == b'{"journal":':
                raise ValueError(
                    f"{old} is a journal of an earlier version: `pickllm export {old} outcomes.csv` writes what it "
                    "holds. Then move it away, or record into another file."
                )
