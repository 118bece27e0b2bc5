"""Lanes: the bounds hold, a free place goes to the LLM with the fewest, and an LLM that fails is left alone."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest

from llm_routing_env.backends import lanes
from llm_routing_env.backends.faults import Kind, RequestError, StatusError
from llm_routing_env.backends.lanes import DownError, Lane, Lanes


class Places:
    """So many places, in lanes with these limits."""

    def __init__(self, n_places: int, limits: Sequence[int], **fields: Any) -> None:
        self.lanes = [Lane(limit, **fields) for limit in limits]
        self._places = Lanes(n_places, self.lanes)

    def place(self, llm: int, ends_at: float = math.inf) -> AbstractAsyncContextManager[None]:
        return self._places.place(self.lanes[llm], ends_at)


def given_out(n_places: int, limits: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Return the LLMs of the requests that get a place at once, of those for the `wanted` LLMs."""
    got: list[int] = []

    async def hold(places: Places, llm: int) -> None:
        async with places.place(llm):
            got.append(llm)
            await asyncio.sleep(3600)

    async def run() -> None:
        places = Places(n_places, limits)
        tasks = [asyncio.create_task(hold(places, llm)) for llm in wanted]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()

    asyncio.run(run())
    return got


@pytest.mark.parametrize(
    ("n_places", "limits", "wanted", "expected"),
    [
        (4, [4, 4], [0, 0, 0, 0, 0, 0, 1, 1], {0: 2, 1: 2}),  # the first to come do not take all
        (4, [4, 4], [0, 0, 0, 0, 0, 0, 1], {0: 3, 1: 1}),
        (6, [2, 6], [0] * 5 + [1] * 5, {0: 2, 1: 4}),
        (9, [2, 3], [0] * 5 + [1] * 5, {0: 2, 1: 3}),
        (3, [3, 3, 3], [2, 2, 1, 1, 0, 0], {0: 1, 1: 1, 2: 1}),
    ],
)
def test_places_are_shared_between_llms_within_their_limits(n_places, limits, wanted, expected):
    assert Counter(given_out(n_places, limits, wanted)) == expected


def test_a_slow_llm_does_not_hold_up_a_fast_one():
    ended: list[int] = []

    async def work(places: Places, llm: int, released: asyncio.Event) -> None:
        async with places.place(llm):
            if llm == 0:
                await released.wait()
        ended.append(llm)

    async def run() -> None:
        places, released = Places(2, [2, 2]), asyncio.Event()
        slow = [asyncio.create_task(work(places, 0, released)) for _ in range(4)]
        fast = [asyncio.create_task(work(places, 1, released)) for _ in range(10)]
        await asyncio.wait_for(asyncio.gather(*fast), 10)
        released.set()
        await asyncio.gather(*slow)

    asyncio.run(run())
    assert ended == [1] * 10 + [0] * 4


@pytest.mark.parametrize("seed", range(5))
def test_no_place_is_lost_however_requests_end(seed):
    """Requests that end, fail or give up at random moments; afterwards as many places are free as at the start."""
    rng = np.random.default_rng(seed)
    under_way, most = Counter[int](), Counter[int]()

    async def work(places: Places, llm: int, duration_s: float, fails: bool) -> None:
        async with places.place(llm):
            under_way.update([llm])
            most.update({llm: max(under_way[llm] - most[llm], 0), -1: max(under_way.total() - most[-1], 0)})
            try:
                await asyncio.sleep(duration_s)
                if fails:
                    raise ValueError
            finally:
                under_way.subtract([llm])

    async def meet(places: Places, everyone: asyncio.Barrier) -> None:
        async with places.place(0):
            await everyone.wait()

    async def run() -> int:
        places = Places(5, [5, 2, 3])
        tasks = [
            asyncio.create_task(work(places, int(rng.integers(3)), 0.002 * rng.random(), rng.random() < 0.2))
            for _ in range(200)
        ]
        for task in rng.permutation(len(tasks))[:60]:
            await asyncio.sleep(0.0002)
            tasks[task].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        everyone = asyncio.Barrier(5)
        await asyncio.wait_for(asyncio.gather(*(meet(places, everyone) for _ in range(5))), 10)
        return sum(result is not None for result in results)

    assert asyncio.run(run()) > 0  # some failed or gave up
    assert most[-1] == 5
    assert all(most[llm] <= limit for llm, limit in enumerate((5, 2, 3)))


BROKEN = RequestError("HTTP 500", Kind.BROKEN)
BUSY = StatusError(429, "")


def failed(n_times: int, fault: RequestError = BROKEN, at: float = 100.0, **fields: Any) -> Lane:
    """Return a lane that has failed so often, one request after another."""
    lane = Lane(4, **fields)
    for _ in range(n_times):
        lane.note_fault(fault, at, at)
    return lane


def test_an_llm_is_down_after_five_failures_in_a_row_for_ten_seconds():
    assert (lanes.MOST_FAILURES, lanes.PAUSE_S) == (5, 10)
    assert not failed(4).is_down
    down = failed(5)
    assert down.is_down
    assert down.opens_at == 110.0


def test_an_answer_between_failures_keeps_it_up():
    lane = Lane(4)
    for _ in range(5):
        for _ in range(4):
            lane.note_fault(BROKEN, 1.0, 1.0)
        lane.note_answer()
    assert not lane.is_down


@pytest.mark.parametrize("kind", [Kind.REFUSED, Kind.BUSY])
def test_a_refusal_is_a_sign_of_life(kind: Kind):
    lane = failed(5)
    lane.note_fault(RequestError("no", kind), 111.0, 112.0)
    assert not lane.is_down


def test_one_probe_at_a_time_is_let_through_every_ten_seconds_and_its_answer_ends_it():
    lane = failed(5, is_patient=True)
    assert [lane.may_take(now) for now in (105.0, 110.0)] == [False, True]
    lane.take_turn(1, 110.0)
    assert not lane.may_take(500.0)  # as long as the probe is under way
    lane.n_in_flight -= 1
    lane.note_fault(BROKEN, 110.0, 111.0)
    assert [lane.may_take(now) for now in (120.0, 121.0)] == [False, True]
    lane.note_answer()
    assert lane.may_take(112.0)
    lane.take_turn(2, 112.0)
    assert lane.may_take(112.0)  # several at once again


def test_requests_that_were_in_flight_when_it_went_down_say_nothing_new():
    lane = failed(5, at=100.0)
    for now in (101.0, 109.0):
        lane.note_fault(BROKEN, 99.0, now)
    assert lane.opens_at == 110.0
    assert lane.n_failed_rounds == 5


def test_failures_at_the_same_time_are_one_round():
    lane = Lane(64)
    for _ in range(64):
        lane.note_fault(BROKEN, 1.0, 2.0)
    assert (lane.is_down, lane.n_failed_rounds) == (True, 1)
    lane.note_fault(BROKEN, 12.0, 13.0)
    assert lane.n_failed_rounds == 2
    lane.note_answer()
    assert lane.n_failed_rounds == 0


def test_a_retry_after_pauses_the_llm_and_a_busy_one_without_it_for_longer_and_longer():
    lane = Lane(4)
    lane.note_fault(StatusError(429, "", 7.0), 1.0, 2.0)
    assert lane.opens_at == 9.0
    lane.note_fault(StatusError(503, "", 3.0), 3.0, 4.0)
    assert lane.opens_at == 9.0  # the longer one
    lane = Lane(4)
    pauses = []
    for now in range(0, 1200, 100):
        lane.note_fault(BUSY, now, now)
        pauses.append(lane.opens_at - now)
    assert pauses == [0.5, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]
    assert not lane.is_down


def test_the_first_answer_is_waited_for_where_money_is_at_stake():
    lane = Lane(4, is_careful=True)
    lane.take_turn(1, 0.0)
    assert not lane.may_take(0.0)
    lane.note_answer()
    assert lane.may_take(0.0)


def test_requests_and_tokens_are_paced():
    lane = Lane(4, requests_per_minute=30, tokens_per_minute=600)
    lane.take_turn(1, 100.0)
    assert lane.opens_at == 102.0
    lane.take_turn(2, 102.0)
    assert lane.opens_at == 104.0
    lane.note_answer(n_tokens=50)  # five seconds' worth
    assert lane.opens_at == 109.0
    lane.take_turn(3, 109.0)  # as many tokens as before are to be expected: two seconds and five
    assert lane.opens_at == 116.0
    lane.note_answer(n_tokens=20)
    assert lane.opens_at == 113.0
    idle = Lane(4, requests_per_minute=30)
    idle.take_turn(1, 0.0)
    idle.take_turn(2, 1000.0)  # what was not used before is not made up for
    assert idle.opens_at == 1002.0


def hurried(lane: Lane, n_requests: int, ends_in_s: float) -> list[str]:
    """Return what requests that cannot wait are told: "" if they are let through."""

    async def one(places: Lanes, ends_at: float) -> str:
        try:
            async with places.place(lane, ends_at):
                await asyncio.sleep(0.02)
        except DownError as error:
            return str(error)
        return ""

    async def run() -> list[str]:
        places, now = Lanes(8, [lane]), asyncio.get_running_loop().time()
        return await asyncio.gather(*(one(places, now + ends_in_s) for _ in range(n_requests)))

    return asyncio.run(run())


def test_who_cannot_wait_is_told_at_once_that_an_llm_is_down():
    async def now() -> float:
        return asyncio.get_running_loop().time()

    at = asyncio.run(now())
    assert all(said.startswith("it is down after failures in a row") for said in hurried(failed(5, at=at), 3, 30.0))
    probing = hurried(failed(5, at=at - 11), 3, 30.0)
    assert probing[0] == ""
    assert all(said.startswith("it is down") for said in probing[1:])
    assert hurried(failed(1, StatusError(429, "", 60.0), at=at), 1, 30.0)[0].endswith("s, past the deadline")
    assert hurried(Lane(1), 2, 0.01)[1] == "no place in flight within the deadline: raise max_in_flight"


def test_an_llm_that_is_given_up_is_not_waited_for():
    lane = failed(5, is_patient=True)
    lane.give_up("HTTP 401")
    assert hurried(lane, 2, math.inf) == ["HTTP 401"] * 2
