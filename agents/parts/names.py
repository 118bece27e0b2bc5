"""Names that are not known."""

from __future__ import annotations

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
