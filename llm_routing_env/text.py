"""Texts for people: names that are not known, and text of strangers as it may be shown."""

from collections.abc import Iterable
from difflib import get_close_matches


def unknown_name(kind: str, name: object, known: Iterable[str], hint: str = "") -> ValueError:
    """Return the error for an unknown `kind` called `name`: the nearest known name, all of them, and a hint."""
    names = list(known)
    nearest = get_close_matches(str(name), names, n=1, cutoff=0.4)
    guess = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return ValueError(
        f"Unknown {kind} {name!r}.{guess} Known: {', '.join(names) or 'none'}.{' ' + hint if hint else ''}"
    )


def printable(text: str) -> str:
    """Return text with control characters spelled out, so that it can steer no terminal and stays on one line."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
