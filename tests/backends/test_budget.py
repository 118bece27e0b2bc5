"""The budget: what is reserved, what is spent, what waits, and what is refused."""

import asyncio
import copy
import os
import pickle
import threading

import pytest

from llm_routing_env.backends.budget import Budget, BudgetError


def reserved(budget: Budget, *worst_usd: float) -> list[bool]:
    """Return which of the reservations are granted at once."""

    async def one(usd: float) -> bool:
        try:
            await asyncio.wait_for(budget.reserve(usd), 0.02)
        except (TimeoutError, BudgetError):
            return False
        return True

    async def run() -> list[bool]:
        return [await one(usd) for usd in worst_usd]

    return asyncio.run(run())


def test_nothing_is_set_aside_for_what_is_refused():
    budget = Budget(max_usd=10.0, max_requests=2)
    assert reserved(budget, 6.0, 5.0, 4.0, 0.0) == [True, False, True, False]
    assert budget.refusal == "the budget of 2 requests is used up"
    budget.settle(4.0, 0.0, was_sent=False)  # its connection was refused
    assert reserved(budget, 4.5, 4.0) == [False, True]


def test_what_is_over_leaves_room_for_what_it_did_not_cost():
    budget = Budget(max_usd=1.0)
    assert reserved(budget, 0.7, 0.7) == [True, False]
    budget.settle(0.7, 0.2)
    assert reserved(budget, 0.7) == [True]
    budget.settle(0.7, 0.7)
    assert (budget.spent_usd, budget.n_requests) == (pytest.approx(0.9), 2)


def test_a_request_waits_for_room_and_is_refused_once_nothing_in_flight_can_leave_any():
    budget = Budget(max_usd=10.0)
    order: list[str] = []

    async def ask(name: str, worst_usd: float, spent_usd: float, takes_s: float) -> None:
        try:
            await budget.reserve(worst_usd)
        except BudgetError as error:
            order.append(f"{name}: {error}")
            return
        await asyncio.sleep(takes_s)
        order.append(name)
        budget.settle(worst_usd, spent_usd)

    async def run() -> None:
        await asyncio.gather(ask("first", 8, 3, 0.02), ask("waits", 7, 2, 0.0), ask("never", 11, 0, 0.0))

    asyncio.run(run())
    assert order == ["first", "waits", "never: the budget of $10 is used up: $5 are spent"]


def test_who_gives_up_waiting_takes_nothing():
    budget = Budget(max_usd=1.0)
    assert reserved(budget, 1.0, 1.0, 1.0) == [True, False, False]
    budget.settle(1.0, 0.0)
    assert reserved(budget, 1.0) == [True]


def test_threads_that_share_a_budget_never_exceed_it_and_wake_each_other():
    budget, sent = Budget(max_usd=100.0, max_requests=150), []

    async def spend() -> None:
        for _ in range(50):
            try:
                await budget.reserve(60.0)  # so that two cannot be in flight
            except BudgetError:
                return
            sent.append(1.0)
            await asyncio.sleep(0.0002)
            budget.settle(60.0, 0.5)

    threads = [threading.Thread(target=lambda: asyncio.run(spend())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    # Room for 60 as long as at most 40 are spent.
    assert len(sent) == 81
    assert budget.spent_usd == 40.5


def test_what_a_journal_holds_is_charged_once():
    budget = Budget()
    for source in ("a", "a", "b"):
        budget.charge(1.0, 2, source=source)
    assert (budget.spent_usd, budget.n_requests) == (2.0, 4)


def test_a_budget_that_is_exceeded_says_by_how_much_and_by_whom():
    budget = Budget(max_usd=0.1)
    assert reserved(budget, 0.01) == [True]
    budget.note_overcharge("dear", 0.5, 0.01)
    budget.settle(0.01, 0.5)
    assert reserved(budget, 0.01) == [False]
    assert budget.refusal.startswith(
        "the budget of $0.1 is exceeded by $0.4; 'dear' charged $0.5 for a request of at most"
    )


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize(("bounds", "code"), [({"max_requests": 9}, 1), ({}, 0)])
def test_a_forked_child_needs_its_own(bounds, code):
    budget = Budget(**bounds)
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(budget.reserve(0.0))
        except RuntimeError as error:
            os._exit(1 if "of one process" in str(error) else 2)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code


@pytest.mark.parametrize(("name", "bound"), [("max_usd", -1.0), ("max_usd", float("nan")), ("max_requests", -1)])
def test_bounds_that_cannot_be_are_refused(name, bound):
    with pytest.raises(ValueError, match=f"{name} must be 0 or more"):
        Budget(**{name: bound})


def test_a_budget_is_one():
    for double in (copy.copy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            double(Budget())
