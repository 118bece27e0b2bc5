"""Places in flight: how many requests are under way at once, and whose turn it is."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager


class Places:
    """So many places in all, of which an LLM has at most its limit; belongs to the event loop that it is used on.

    A free place goes to the LLM with the fewest requests in flight. In the order of arrival, a slow LLM would soon
    hold every place, and the others would stand idle.
    """

    def __init__(self, n_places: int, limits: Sequence[int]) -> None:
        """Have `n_places` in all, and at most `limits[llm]` for an LLM."""
        self._free, self._limits = n_places, limits
        self._taken = [0] * len(limits)
        self._waiting: list[deque[asyncio.Future[None]]] = [deque() for _ in limits]

    @asynccontextmanager
    async def place(self, llm: int) -> AsyncIterator[None]:
        """Wait for a place for an LLM and hold it for the length of the block."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting[llm].append(turn)
        loop.call_soon(self._give_out)  # when all that are asked at the same time wait, not only the first
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._free += 1
                self._taken[llm] -= 1
                self._give_out()

    def _give_out(self) -> None:
        while self._free and (llms := [llm for llm in range(len(self._limits)) if self._may(llm)]):
            llm = min(llms, key=self._taken.__getitem__)
            turn = self._waiting[llm].popleft()
            if not turn.done():  # it gave up waiting
                self._free -= 1
                self._taken[llm] += 1
                turn.set_result(None)

    def _may(self, llm: int) -> bool:
        return bool(self._waiting[llm]) and self._taken[llm] < self._limits[llm]
