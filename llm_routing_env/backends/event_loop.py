"""An event loop in a background thread, with one HTTP client on it."""

import asyncio
import contextlib
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

Result = TypeVar("Result")
_INHERITED: list[object] = []


class _Closable(Protocol):
    async def close(self) -> None: ...


Client = TypeVar("Client", bound=_Closable)
Job = Callable[[Client, float], Coroutine[Any, Any, Result]]
"""Takes the client, and the loop's time when the job was taken: one time for all that were taken together."""


class LoopThread(Generic[Client]):
    """Runs coroutines for synchronous callers; thread and client start with the first one.

    `asyncio.run` will not do: inside Jupyter a loop is running already, and it would connect anew each time.
    """

    def __init__(self, open_client: Callable[[], Awaitable[Client]]) -> None:
        """Remember how to open the client; nothing is started."""
        self._open_client = open_client
        self._lock = threading.Lock()
        self._running: _Running[Client] | None = None

    def run_all(
        self, jobs: Iterable[Job[Client, Result]], at_once: int | None = None
    ) -> Generator[tuple[int, Result], None, None]:
        """Run every job on the loop; yield its number and result as it ends.

        Args:
            jobs: Taken by the caller's thread, one after another, as others end.
            at_once: Most jobs that are taken and have not ended; None: all are taken at once.

        Closing the generator cancels the jobs that are running.
        """
        started = _Started[Client, Result](self._ensure_running())
        waiting = enumerate(jobs)
        try:
            while True:
                started.add(list(islice(waiting, None if at_once is None else at_once - started.n_running)))
                if not started.n_running:
                    return
                yield started.next_ended()
        finally:
            started.cancel()

    def close(self) -> None:
        """Close the client and end the thread; a later job starts new ones."""
        with self._lock:
            if self._running is not None:
                self._running.finalizer()
            self._running = None

    def _ensure_running(self) -> "_Running[Client]":
        running = self._running
        if running is not None and running.process == os.getpid():
            return running
        with self._lock:
            # After a fork the thread exists in the parent only: the child needs its own.
            if self._running is None or self._running.process != os.getpid():
                self._running = _Running(self._open_client)
            return self._running


class _Running(Generic[Client]):
    def __init__(self, open_client: Callable[[], Awaitable[Client]]) -> None:
        self.process = os.getpid()
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever, name="pickllm-http", daemon=True)
        thread.start()
        self.client = asyncio.run_coroutine_threadsafe(_await(open_client()), self.loop).result()
        # Runs when the backend is closed, collected, or at the interpreter's exit, whichever comes first.
        self.finalizer = weakref.finalize(self, _shut_down, self.process, self.loop, thread, self.client)


class _Started(Generic[Client, Result]):
    """One caller's jobs on the loop."""

    def __init__(self, running: _Running[Client]) -> None:
        self._running = running
        self._tasks: dict[int, asyncio.Task[Result]] = {}
        self._ended: SimpleQueue[int] = SimpleQueue()
        self.n_running = 0

    def add(self, jobs: Sequence[tuple[int, Job[Client, Result]]]) -> None:
        if jobs:
            self.n_running += len(jobs)
            self._running.loop.call_soon_threadsafe(self._create, jobs)

    def next_ended(self) -> tuple[int, Result]:
        number = self._ended.get()
        self.n_running -= 1
        return number, self._tasks.pop(number).result()

    def cancel(self) -> None:
        if self.n_running:
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nothing runs
                self._running.loop.call_soon_threadsafe(self._cancel_all)

    def _create(self, jobs: Sequence[tuple[int, Job[Client, Result]]]) -> None:
        loop, client = self._running.loop, self._running.client
        taken_at = loop.time()
        for number, job in jobs:
            self._tasks[number] = loop.create_task(job(client, taken_at))
            self._tasks[number].add_done_callback(partial(self._note_end, number))

    def _cancel_all(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    def _note_end(self, number: int, task: asyncio.Task[Result]) -> None:
        self._ended.put(number)


async def _await(awaitable: Awaitable[Result]) -> Result:
    return await awaitable


def _shut_down(process: int, loop: asyncio.AbstractEventLoop, thread: threading.Thread, client: _Closable) -> None:
    if process != os.getpid():
        # Not this forked child's to close, nor to collect: parent and child share the selector, and closing here would
        # take the parent's sockets out of it.
        _INHERITED.append((loop, client))
        return
    if loop.is_closed():
        return

    async def stop() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await client.close()
        loop.stop()

    asyncio.run_coroutine_threadsafe(stop(), loop)
    if thread is not threading.current_thread():  # the garbage collector may run anywhere
        thread.join(timeout=5.0)
        if not thread.is_alive():
            loop.close()
