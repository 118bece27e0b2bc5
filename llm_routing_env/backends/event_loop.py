"""An event loop in a background thread, with one HTTP session on it."""

import asyncio
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

Result = TypeVar("Result")
OpenSession = Callable[[], Awaitable[aiohttp.ClientSession]]
_INHERITED: list[object] = []


class LoopThread:
    """Runs coroutines for synchronous callers; thread and session start with the first one.

    `asyncio.run` will not do: inside Jupyter a loop is running already, and it would connect anew each time.
    """

    def __init__(self, open_session: OpenSession) -> None:
        """Remember how to open the session; nothing is started."""
        self._open_session = open_session
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def run(self, work: Callable[[aiohttp.ClientSession], Awaitable[Result]]) -> Result:
        """Run `work(session)` on the loop and return its result."""
        running = self._ensure_running()
        future = asyncio.run_coroutine_threadsafe(running.call(work), running.loop)
        try:
            return future.result()
        except BaseException:  # Ctrl-C while waiting: do not leave the request running
            future.cancel()
            raise

    def close(self) -> None:
        """Close the session and end the thread; a later `run` starts new ones."""
        with self._lock:
            if self._running is not None:
                self._running.finalizer()
            self._running = None

    def _ensure_running(self) -> "_Running":
        running = self._running
        if running is not None and running.process == os.getpid():
            return running
        with self._lock:
            # After a fork the thread exists in the parent only: the child needs its own.
            if self._running is None or self._running.process != os.getpid():
                self._running = _Running(self._open_session)
            return self._running


class _Running:
    def __init__(self, open_session: OpenSession) -> None:
        self.process = os.getpid()
        self.loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever, name="pickllm-http", daemon=True)
        thread.start()
        self.session = asyncio.run_coroutine_threadsafe(_await(open_session()), self.loop).result()
        # Runs when the backend is closed, collected, or at the interpreter's exit, whichever comes first.
        self.finalizer = weakref.finalize(self, _shut_down, self.process, self.loop, thread, self.session)

    async def call(self, work: Callable[[aiohttp.ClientSession], Awaitable[Result]]) -> Result:
        return await work(self.session)


async def _await(awaitable: Awaitable[Result]) -> Result:
    return await awaitable


def _shut_down(
    process: int, loop: asyncio.AbstractEventLoop, thread: threading.Thread, session: aiohttp.ClientSession
) -> None:
    if process != os.getpid():
        # Not this forked child's to close, nor to collect: parent and child share the selector, and closing here would
        # take the parent's sockets out of it.
        _INHERITED.append((loop, session))
        return
    if loop.is_closed():
        return

    async def stop() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await session.close()
        loop.stop()

    asyncio.run_coroutine_threadsafe(stop(), loop)
    if thread is not threading.current_thread():  # the garbage collector may run anywhere
        thread.join(timeout=5.0)
        if not thread.is_alive():
            loop.close()
