"""One SQLite connection in a thread of its own: whatever waits to be done at the same time is one transaction."""

import asyncio
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from llm_routing_env.backends.futures import settle

Do = Callable[[sqlite3.Connection], Any]


class _Work(NamedTuple):
    """Something to do, whether the disk must have it before anybody is told, and whom to tell."""

    do: Do
    is_durable: bool
    told: "asyncio.Future[Any] | Future[Any] | None"


class GroupCommits:
    """Does work on a connection, in order, so that neither an event loop nor a caller waits for the disk.

    Closed by `close`, or when nobody has it any more.
    """

    def __init__(
        self, open_connection: Callable[[], sqlite3.Connection], explain: Callable[[sqlite3.Error], Exception]
    ):
        """Open the connection.

        Args:
            open_connection: What it raises is raised here.
            explain: What to raise for an error of SQLite's.
        """
        self._process, self._lock, self._is_closed = os.getpid(), threading.Lock(), False
        self._waiting: SimpleQueue[_Work | None] = SimpleQueue()
        opened: Future[None] = Future()
        arguments = (open_connection, explain, self._waiting, opened)
        self._thread = threading.Thread(target=_work, args=arguments, name="pickllm-journal", daemon=True)
        self._thread.start()
        weakref.finalize(self, _end, self._process, self._waiting)
        opened.result()

    async def do(self, do: Do, *, is_durable: bool = False) -> Any:
        """Return what `do` returns, once it is committed; with `is_durable` once the disk has it.

        Raises:
            Exception: What `do` raises, or what explains an error of SQLite's; then all of the transaction is undone.
        """
        told: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._put(_Work(do, is_durable, told))
        return await told

    def wait(self, do: Do) -> Any:
        """Do the same from outside of an event loop."""
        told: Future[Any] = Future()
        self._put(_Work(do, False, told))
        return told.result()

    def post(self, do: Do) -> None:
        """Do something that nobody waits for."""
        self._put(_Work(do, False, None))

    def close(self) -> None:
        """Do what is waiting and close the connection; may be called twice."""
        if os.getpid() != self._process:
            return
        with self._lock:
            if not self._is_closed:
                self._waiting.put(None)
            self._is_closed = True
        self._thread.join()

    def _put(self, work: _Work) -> None:
        if os.getpid() != self._process:
            raise RuntimeError("A journal belongs to the process that opened it: open one of its own here.")
        with self._lock:  # nothing is put behind the word that it is all
            if self._is_closed:
                raise ValueError("The journal is closed.")
            self._waiting.put(work)


def _end(process: int, waiting: "SimpleQueue[_Work | None]") -> None:
    if os.getpid() == process:
        waiting.put(None)


def _work(
    open_connection: Callable[[], sqlite3.Connection],
    explain: Callable[[sqlite3.Error], Exception],
    waiting: "SimpleQueue[_Work | None]",
    opened: "Future[None]",
) -> None:
    """Do all the work until there is word that it is all: what the thread runs."""
    try:
        connection = open_connection()
    except Exception as error:
        opened.set_exception(error)
        return
    opened.set_result(None)
    is_open = True
    while is_open:
        batch = [waiting.get()]
        with suppress(Empty):
            while True:
                batch.append(waiting.get_nowait())
        is_open = None not in batch
        _transact(connection, [work for work in batch if work is not None], explain)
    connection.close()


def _transact(
    connection: sqlite3.Connection, batch: list[_Work], explain: Callable[[sqlite3.Error], Exception]
) -> None:
    """Do everything in one transaction, and tell everybody what came of it."""
    results: list[Any] = []
    try:
        connection.execute(f"PRAGMA synchronous = {'FULL' if any(work.is_durable for work in batch) else 'NORMAL'}")
        connection.execute("BEGIN")
        for work in batch:
            results.append(_try(work.do, connection))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        results = [explain(error)] * len(batch)
    _tell(batch, results)


def _try(do: Do, connection: sqlite3.Connection) -> Any:
    try:
        return do(connection)
    except sqlite3.Error:
        raise  # the whole transaction's
    except Exception as error:
        return error


def _tell(batch: list[_Work], results: list[Any]) -> None:
    """Settle the futures: those of an event loop all at once, since waking one up costs as much as the write."""
    waiting: dict[asyncio.AbstractEventLoop | None, list[tuple[Any, Any]]] = {}
    for work, result in zip(batch, results, strict=True):
        if work.told is not None:
            loop = work.told.get_loop() if isinstance(work.told, asyncio.Future) else None
            waiting.setdefault(loop, []).append((work.told, result))
    for loop, pairs in waiting.items():
        if loop is None:
            _settle_all(pairs)
            continue
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits
            loop.call_soon_threadsafe(_settle_all, pairs)


def _settle_all(pairs: list[tuple[Any, Any]]) -> None:
    for told, result in pairs:
        settle(told, result)
