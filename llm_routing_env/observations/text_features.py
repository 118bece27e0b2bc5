"""Cheap features of a query's text: what it looks like, not what it means."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

# Each is a number in [0, 1] that costs microseconds.
FEATURES: dict[str, Callable[[str], float]] = {
    "intercept": lambda text: 1.0,
    "length": lambda text: min(len(text) / 1000, 1.0),
    "words": lambda text: min(len(text.split()) / 200, 1.0),
    "mean_word_length": lambda text: min(len(text) / (1 + text.count(" ")) / 20, 1.0),
    "digits": lambda text: _share(text, str.isdigit),
    "capitals": lambda text: _share(text, str.isupper),
    "punctuation": lambda text: _share(text, lambda c: c in ".,;:!?'\""),
    "operators": lambda text: _share(text, lambda c: c in "+-*/=<>%^"),
    "brackets": lambda text: _share(text, lambda c: c in "()[]{}_"),
    "non_ascii": lambda text: _share(text, lambda c: not c.isascii()),
    "lines": lambda text: min(text.count("\n") / 20, 1.0),
    "asks": lambda text: float("?" in text),
}


def text_features(prompts: Sequence[str]) -> NDArray[np.float32]:
    """Return the cheap features of `FEATURES`, shape (prompts, features), each in [0, 1]."""
    return np.array([[feature(text) for feature in FEATURES.values()] for text in prompts], dtype=np.float32)


def _share(text: str, is_counted: Callable[[str], bool]) -> float:
    return sum(map(is_counted, text)) / max(len(text), 1)
