"""How late a reward is: a number of steps, or what it is drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from llm_routing_env.agents.parts.names import unknown_name

DISTRIBUTIONS = ("geometric", "uniform")
_STREAM = 0xFEED  # beside the environment's own draws, which stay as they are


@dataclass(frozen=True)
class Delay:
    """By how many steps rewards come late.

    Attributes:
        kind: "geometric", the failures before a success; or "uniform", both ends included.
        numbers: The probability of a success; or the lowest and the highest delay.
    """

    kind: str
    numbers: tuple[float, ...]

    @classmethod
    def read(cls, given: Any) -> "Delay":
        """Return the delay that is given by a whole number, or by `("geometric", p)` or `("uniform", low, high)`.

        Raises:
            ValueError: It is none.
        """
        if _is_whole(given):
            return cls("uniform", (given, given))
        if isinstance(given, str) or not isinstance(given, Sequence) or not given:
            raise ValueError(
                f"delay must be a whole number of steps, or ('geometric', p), or ('uniform', low, high); got {given!r}."
            )
        kind, *numbers = given
        if kind not in DISTRIBUTIONS:
            raise unknown_name("distribution of delays", kind, DISTRIBUTIONS)
        if kind == "geometric" and len(numbers) == 1 and isinstance(numbers[0], int | float) and 0 < numbers[0] <= 1:
            return cls(kind, (float(numbers[0]),))
        if kind == "uniform" and len(numbers) == 2 and all(map(_is_whole, numbers)) and numbers[0] <= numbers[1]:
            return cls(kind, tuple(numbers))
        expected = "one probability above 0" if kind == "geometric" else "two whole numbers, 0 or more, the lower first"
        raise ValueError(f"delay {kind!r} takes {expected}, got {numbers}.")

    @property
    def steps(self) -> int | None:
        """The number of steps, where it is always the same."""
        if self.kind == "geometric":
            return 0 if self.numbers == (1.0,) else None
        return int(self.numbers[0]) if self.numbers[0] == self.numbers[1] else None

    def draw(self, rng: np.random.Generator) -> int:
        """Draw a number of steps."""
        if self.kind == "geometric":
            return int(rng.geometric(self.numbers[0])) - 1
        low, high = map(int, self.numbers)
        return int(rng.integers(low, high + 1))

    def __str__(self) -> str:
        if self.steps is not None:
            return str(self.steps)
        if self.kind == "geometric":
            return f"{1 / self.numbers[0] - 1:g} on average (geometric)"
        return f"{self.numbers[0]} to {self.numbers[1]} (uniform)"


def delay_generator(seed: int, depth: int = 0) -> np.random.Generator:
    """Return what the delays of a session with this seed are drawn from; `depth` keeps wrappers in wrappers apart."""
    return np.random.default_rng([seed, _STREAM, *([depth] if depth else [])])


def _is_whole(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and number >= 0
