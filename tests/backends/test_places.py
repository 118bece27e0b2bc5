"""Places in flight: the bounds hold, and a free place goes to the LLM with the fewest."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from llm_routing_env.backends.places import Places


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
    assert (most[0] <= 5, most[1], most[2]) == (True, 2, 3)
