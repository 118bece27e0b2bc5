"""What somebody's scores are worth, from 0 to 1."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreScale:
    """How scores become accuracies.

    Attributes:
        words: What words stand for, in lower case, such as {"c": 1, "i": 0}.
        lowest, highest: What 0 and 1 stand for.
        clip: Whether scores beyond them count as the nearer; else they are refused.
    """

    words: Mapping[str, float] = field(default_factory=dict)
    lowest: float = 0.0
    highest: float = 1.0
    clip: bool = False

    def __post_init__(self) -> None:
        """Check the range."""
        if not (np.isfinite([self.lowest, self.highest]).all() and self.lowest < self.highest):
            raise ValueError(f"--score-range must be LOW,HIGH, the lower first, got {self.lowest:g},{self.highest:g}.")

    def accuracies(self, scores: Floats) -> Floats:
        """Return scores on the scale from 0 to 1; NaN stays."""
        accuracies = (scores - self.lowest) / (self.highest - self.lowest)
        return np.clip(accuracies, 0.0, 1.0) if self.clip else accuracies

    def changed(self, words: str | None, ends: str | None, *, clip: bool) -> "ScoreScale":
        """Return the scale that flags say, `C=1,I=0,P=0.5` and `0,100`; what they do not say is as here.

        Raises:
            ValueError: One is not of that form.
        """
        lowest, highest = self.lowest, self.highest
        if ends is not None:
            lowest, highest = _numbers(ends, "--score-range", "LOW,HIGH such as 0,100")
        return ScoreScale(self.words if words is None else _words(words), lowest, highest, clip)


def _words(text: str) -> dict[str, float]:
    found = {}
    for part in text.split(","):
        word, _, value = part.rpartition("=")
        (number,) = _numbers(value, "--score-map", "WORD=NUMBER, such as C=1,I=0,P=0.5", 1)
        if not word.strip() or word.strip().lower() in found:
            raise ValueError(f"--score-map must be each WORD=NUMBER once, such as C=1,I=0,P=0.5, got {text!r}.")
        if _is_number(word):
            raise ValueError(
                f"--score-map: {word.strip()} is a number already; --score-range says what 0 and 1 stand for."
            )
        found[word.strip().lower()] = number
    return found


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbers(text: str, flag: str, form: str, count: int = 2) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count or not np.isfinite(found).all():
        raise ValueError(f"{flag} must be {form}, got {text!r}.")
    return found


AS_IT_IS = ScoreScale()
