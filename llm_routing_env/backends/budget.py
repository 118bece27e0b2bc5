"""Money and requests that may be spent: reserved before a request is sent, so that no number in flight exceeds them."""

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from llm_routing_env.tables.outcome import Outcome

if TYPE_CHECKING:  # recorded sessions know of budgets too, and start sooner without
    import asyncio


class BudgetError(RuntimeError):
    """The budget is used up; the message says which bound, and what is spent."""


class RefusedOutcome(Outcome):
    """What comes of a request that the budget did not allow: nothing was sent, and nothing is to be paid."""

    __slots__ = ()


class Budget:
    """What requests may cost together, and how many there may be; threads and event loops of one process may share one.

    A request reserves the most that it could cost before it is sent, and waits while others in flight may leave room
    for it. Once it is over, what it did cost is spent and the rest is free again.

    Attributes:
        max_usd: Most US dollars; None for no bound.
        max_requests: Most requests; None for no bound.
        spent_usd: What the requests that are over did cost.
        n_requests: Requests reserved so far, over or in flight.
        overcharges: For each LLM that charged more than its worst case, a line that says by how much.
    """

    def __init__(self, max_usd: float | None = None, max_requests: int | None = None) -> None:
        """Begin with nothing spent.

        Raises:
            ValueError: For a bound below 0, or one that is not a number.
        """
        for name, bound in (("max_usd", max_usd), ("max_requests", max_requests)):
            if bound is not None and not bound >= 0:
                raise ValueError(f"{name} must be 0 or more, got {bound}.")
        self.max_usd, self.max_requests = max_usd, max_requests
        self.spent_usd, self.n_requests = 0.0, 0
        self.overcharges: dict[str, str] = {}
        self._reserved_usd, self._n_in_flight = 0.0, 0
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Future[None]] = []
        self._charged: set[object] = set()
        self._process = os.getpid()

    async def reserve(self, worst_usd: float) -> None:
        """Set aside what one request could cost; wait for room while others are in flight.

        Raises:
            BudgetError: There is no room, and nothing in flight could leave any.
            RuntimeError: This process was forked from the budget's: two copies could together spend twice as much.
        """
        if os.getpid() != self._process and self.is_bounded:
            raise RuntimeError("A budget is of one process: this one was forked from its. Make one here.")
        while (freed := self._try(worst_usd)) is not None:
            await freed

    def _try(self, worst_usd: float) -> "asyncio.Future[None] | None":
        """Reserve, or return what ends when there may be room."""
        from asyncio import get_running_loop

        with self._lock:
            has_requests = self.max_requests is None or self.n_requests < self.max_requests
            set_aside_usd = self.spent_usd + self._reserved_usd + worst_usd
            if has_requests and (self.max_usd is None or set_aside_usd <= self.max_usd):
                self._reserved_usd += worst_usd
                self.n_requests += 1
                self._n_in_flight += 1
                return None
            if not self._n_in_flight:
                raise BudgetError(self.refusal)
            self._waiting.append(freed := get_running_loop().create_future())
            return freed

    def settle(self, worst_usd: float, spent_usd: float, *, was_sent: bool = True) -> None:
        """Note that a request that had reserved `worst_usd` is over and did cost `spent_usd`."""
        with self._lock:
            self._reserved_usd -= worst_usd
            self._n_in_flight -= 1
            if not self._n_in_flight:
                self._reserved_usd = 0.0  # floats do not cancel out to the last bit
            self.spent_usd += spent_usd
            self.n_requests -= not was_sent
            waiting, self._waiting = self._waiting, []
        for freed in waiting:
            with suppress(RuntimeError):  # its loop was closed: nobody waits
                freed.get_loop().call_soon_threadsafe(_wake, freed)

    def note_overcharge(self, llm: str, spent_usd: float, worst_usd: float) -> None:
        """Note that an endpoint charged more than was set aside."""
        self.overcharges[llm] = (
            f"{llm!r} charged ${spent_usd:.6g} for a request of at most ${worst_usd:.6g}: its endpoint counts more "
            "tokens than max_tokens allows, and is held for that much dearer from now on"
        )

    def charge(self, spent_usd: float, n_requests: int, source: object = None) -> None:
        """Note requests that were made before, as a journal that is resumed holds them: of each `source` once."""
        with self._lock:
            if source is not None and source in self._charged:
                return
            self._charged.add(source)
            self.spent_usd += spent_usd
            self.n_requests += n_requests

    @property
    def is_bounded(self) -> bool:
        """Whether there is a bound."""
        return self.max_usd is not None or self.max_requests is not None

    @property
    def refusal(self) -> str:
        """Which bound a request that was just refused would have exceeded, and by how much it is exceeded already."""
        if self.max_requests is not None and self.n_requests >= self.max_requests:
            return f"the budget of {self.max_requests} requests is used up"
        over_usd = self.spent_usd - (self.max_usd or 0.0)
        if over_usd <= 0:
            return f"the budget of ${self.max_usd:g} is used up: ${self.spent_usd:.6g} are spent"
        why = "".join(f"; {line}" for line in self.overcharges.values())
        return f"the budget of ${self.max_usd:g} is exceeded by ${over_usd:.6g}{why}"

    def document(self) -> dict[str, float | int | None]:
        """Return what may be spent and what is, JSON-plain."""
        return {name: getattr(self, name) for name in ("max_usd", "max_requests", "spent_usd", "n_requests")}

    def __getstate__(self) -> None:
        """Refuse to be copied: two copies could together spend twice as much.

        Raises:
            TypeError: Always.
        """
        raise TypeError("A Budget cannot be pickled or copied: its copies could together exceed it.")


def _wake(freed: "asyncio.Future[None]") -> None:
    if not freed.done():
        freed.set_result(None)
