"""Damaged and odd inputs for readers, and the one thing a reader may do with them besides reading: refuse."""

import copy
import string
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

Read = TypeVar("Read")

N_INPUTS, BATCH = 1500, 25
NUMBERS = (0, 1, 2, -1, 0.5, -0.0, 1e308, 2**53, 2**63, -(2**63) - 1, 10**400, float("nan"), float("inf"))
TEXTS = ("", "a", "yes", "..", "\x1b[2J", "\ud800", "\0", "\u202e", "a" * 300, "[/]", "é" * 3, "2026-01-01")


def fuzz(check: Callable[[int], None]) -> None:
    """Call `check` with 1500 seeds, always the same ones, so that a run says something of the code and not of the day.

    A check makes its input of the one seed: drawing every byte and value from Hypothesis takes ten times as long, and
    drawing every seed from it takes as long as a reader does.
    """

    @settings(
        max_examples=N_INPUTS // BATCH,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(first=st.integers(0, 2**48))
    def check_batch(first: int) -> None:
        for seed in range(first, first + BATCH):
            try:
                check(seed)
            except Exception:
                note(f"seed {seed}")
                raise

    check_batch()


def read_or_refuse(read: Callable[[], Read]) -> Read | None:
    """Return what was read, or None where it was refused with a plain ValueError that says something.

    Subclasses (UnicodeDecodeError, ArrowInvalid, ...) are accidents of what the reader is made of, not refusals.
    """
    try:
        return read()
    except ValueError as error:
        refusal = error
    assert type(refusal) is ValueError, repr(refusal)
    assert len(str(refusal)) > 10
    return None


def damaged(content: bytes, seed: int) -> bytes:
    """Return the content with up to eight places overwritten, cut out or filled in, or its end cut off."""
    rng = Random(seed)
    result = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        place = rng.randrange(len(result) + 1)
        inserted = rng.choice((rng.randbytes(rng.randrange(4)), result[place - 9 : place], b"\n", b"\0" * 8))
        result[place : place + rng.randrange(5)] = inserted
    return bytes(result if rng.random() < 0.8 else result[: rng.randrange(len(result) + 1)])


def odd(document: Any, seed: int) -> Any:
    """Return a JSON-plain document with up to three of its parts replaced by anything, left out or added to."""
    rng = Random(seed)
    result = copy.deepcopy(document)
    for _ in range(rng.randint(1, 3)):
        path = rng.choice(list(_places(result)))
        if not path:
            continue
        parent = result
        for key in path[:-1]:
            parent = parent[key]
        change = rng.choice(("replace", "replace", "drop", "add"))
        if change == "replace":
            parent[path[-1]] = anything(rng)
        elif change == "drop":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[rng.choice(string.ascii_letters)] = anything(rng)
    return result


def anything(rng: Random, depth: int = 2) -> Any:
    """Return a JSON-plain value of any kind."""
    kind = rng.randrange(7 if depth else 5)
    if kind < 2:
        return rng.choice(TEXTS)
    if kind < 4:
        return rng.choice(NUMBERS)
    if kind == 4:
        return rng.choice((None, True, False))
    inner = [anything(rng, depth - 1) for _ in range(rng.randrange(4))]
    return inner if kind == 5 else {rng.choice(TEXTS): value for value in inner}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(inner, (*path, key))
