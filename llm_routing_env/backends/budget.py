"""Money and requests that may be spent: reserved before a request is sent, so that no number in flight exceeds them."""

import threading

from llm_routing_env.tables.outcome import Outcome


class RefusedOutcome(Outcome):
    """What comes of a request that the budget did not allow: nothing was sent, and nothing is to be paid."""

    __slots__ = ()


class BudgetError(RuntimeError):
    """The budget is used up, so what was to be done could not be finished."""


class Budget:
    """What requests may cost together, and how many there may be; threads and event loops may share one.

    A request reserves the most that it could cost before it is sent. Once it is over, what it did cost is spent and
    the rest is free again.

    Attributes:
        max_usd: Most US dollars; None for no bound.
        max_requests: Most requests; None for no bound.
        spent_usd: What the requests that are over did cost.
        n_requests: Requests reserved so far, over or in flight.

    Example:
        >>> budget = Budget(max_usd=1.0)
        >>> budget.reserve(0.7), budget.reserve(0.7)
        (True, False)
        >>> budget.settle(0.7, spent_usd=0.2)
        >>> budget.reserve(0.7)
        True
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
        self._reserved_usd = 0.0
        self._lock = threading.Lock()

    def reserve(self, worst_usd: float) -> bool:
        """Set aside what one request could cost; return False, with nothing set aside, if that is too much."""
        with self._lock:
            if self.max_requests is not None and self.n_requests >= self.max_requests:
                return False
            if self.max_usd is not None and self.spent_usd + self._reserved_usd + worst_usd > self.max_usd:
                return False
            self._reserved_usd += worst_usd
            self.n_requests += 1
            return True

    def settle(self, worst_usd: float, *, spent_usd: float) -> None:
        """Note that a request that had reserved `worst_usd` is over and did cost `spent_usd`."""
        with self._lock:
            self._reserved_usd -= worst_usd
            self.spent_usd += spent_usd

    def release(self, worst_usd: float) -> None:
        """Note that a request that had reserved `worst_usd` was never sent."""
        with self._lock:
            self._reserved_usd -= worst_usd
            self.n_requests -= 1

    def end(self, worst_usd: float, outcome: Outcome) -> None:
        """Note what came of a request, for which, and for each of its retries, `worst_usd` were reserved."""
        if outcome.n_attempts == 0:
            self.release(worst_usd)
        else:
            self.settle(outcome.n_attempts * worst_usd, spent_usd=paid_usd(outcome, worst_usd))

    def charge(self, spent_usd: float, n_requests: int = 1) -> None:
        """Note requests that were made before, as a journal that is resumed holds them."""
        with self._lock:
            self.spent_usd += spent_usd
            self.n_requests += n_requests

    @property
    def refusal(self) -> str:
        """Say which bound a request that was just refused would have exceeded."""
        if self.max_requests is not None and self.n_requests >= self.max_requests:
            return f"the budget of {self.max_requests} requests is used up"
        return f"the budget of ${self.max_usd:g} is used up: ${self.spent_usd:.6g} are spent"

    def document(self) -> dict[str, float | int | None]:
        """Return what may be spent and what is, JSON-plain."""
        return {name: getattr(self, name) for name in ("max_usd", "max_requests", "spent_usd", "n_requests")}

    def refused(self) -> RefusedOutcome:
        """Return the outcome of a request that was just refused."""
        return RefusedOutcome("", 0, 0, 0.0, 0.0, error=self.refusal, n_attempts=0)

    def __getstate__(self) -> None:
        """Refuse to be copied: two copies could together spend twice as much.

        Raises:
            TypeError: Always.
        """
        raise TypeError("A Budget cannot be pickled or copied: its copies could together exceed it.")


def paid_usd(outcome: Outcome, worst_usd: float) -> float:
    """Return what an outcome counts at, in US dollars.

    Requests that failed, also those before a retry, count at the most that they could cost: they may have been
    answered, and charged for, all the same.
    """
    if outcome.error is not None:
        return outcome.n_attempts * worst_usd
    return outcome.cost_usd + (outcome.n_attempts - 1) * worst_usd
