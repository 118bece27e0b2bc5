"""An event loop in a background thread, and one thing that lives on it."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

_INHERITED: list[object] = []


class _Closable(Protocol):
    async def close(self) -> None: ...


Tenant = TypeVar("Tenant", bound=_Closable)


class LoopThread(Generic[Tenant]):
    """A running loop, and what was made on it; both end with it.

    `asyncio.run` will not do: inside Jupyter a loop is running already, and it would connect anew each time.

    Attributes:
        process: The process that it runs in; a forked child has none of it.
        loop: The loop.
        tenant: What was made on it.
        close: Closes the tenant and ends the thread; runs when this is closed, collected, or at the interpreter's exit,
            whichever comes first.
    """

    def __init__(self, make: Callable[[], Tenant]) -> None:
        """Start the thread, and make the tenant on the loop."""
        self.process, self.loop = os.getpid(), asyncio.new_event_loop()
        thread = threading.Thread(target=self.loop.run_forever, name="pickllm-asker", daemon=True)
        thread.start()

        async def made() -> Tenant:
            return make()

        try:
            self.tenant = asyncio.run_coroutine_threadsafe(made(), self.loop).result()
        except BaseException:
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join()
            self.loop.close()
            raise
        self.close = weakref.finalize(self, _shut_down, self.process, self.loop, thread, self.tenant)


def _shut_down(process: int, loop: asyncio.AbstractEventLoop, thread: threading.Thread, tenant: _Closable) -> None:
    if process != os.getpid():
        # Not this forked child's to close, nor to collect: parent and child share the selector, and closing here would
        # take the parent's sockets out of it.
        _INHERITED.append((loop, tenant))
        return
    if loop.is_closed():
        return

    async def stop() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await tenant.close()
        loop.stop()

    asyncio.run_coroutine_threadsafe(stop(), loop)
    if thread is not threading.current_thread():  # the garbage collector may run anywhere
        thread.join(timeout=5.0)
        if not thread.is_alive():
            loop.close()
