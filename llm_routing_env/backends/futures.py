"""What another thread found out, told to who waits for it."""

import asyncio
from concurrent.futures import Future
from typing import Any


def settle(waiting: "asyncio.Future[Any] | Future[Any]", found: Any) -> None:
    """Give a future what was found, or the exception that came instead; nothing if nobody waits any more."""
    if waiting.done():
        return
    if isinstance(found, Exception):
        waiting.set_exception(found)
    else:
        waiting.set_result(found)
