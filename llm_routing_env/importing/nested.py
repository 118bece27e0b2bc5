"""Dotted names: what lies in the objects and lists of a cell.

`usage.output` is the key `output` of the object `usage`; `choices.0` the first of a list. A star stands for each member
of an object or a list, and makes a row of each: `arms.*.reward`; of no member there is no row. A name that ends in a
star is the member's own key: `arms.*`, of a list the member itself. A key that holds dots is found too.
"""

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

STAR = "*"
Path = tuple[str, ...]
K = TypeVar("K", bound=Hashable)


def follow(value: Any, path: Path) -> Any:
    """Return what lies at a path without stars; None where there is nothing. JSON in a text is looked into."""
    if not path:
        return value
    value = _read(value)
    if isinstance(value, list):
        place = path[0]
        return follow(value[int(place)], path[1:]) if place.isdigit() and int(place) < len(value) else None
    if isinstance(value, dict):
        for length in range(len(path), 0, -1):
            if (key := ".".join(path[:length])) in value:
                return follow(value[key], path[length:])
    return None


def rows_of(value: Any, paths: Mapping[K, Path], *, is_outer: bool = False) -> list[dict[K, Any]]:
    """Return the rows of an object: one, or of stars one per member.

    Args:
        value: The object.
        paths: By the names that the rows' cells get.
        is_outer: Whether an object without members is one row all the same, as members of members are.

    Raises:
        ValueError: Stars of two objects or lists: their members have nothing to do with each other.
    """
    plain = {name: follow(value, path) for name, path in paths.items() if STAR not in path}
    starred = {name: path for name, path in paths.items() if STAR in path}
    if not starred:
        return [plain]
    heads = {path[: path.index(STAR)] for path in starred.values()}
    if len(heads) > 1:
        named = " and ".join(sorted(".".join((*head, STAR)) for head in heads))
        raise ValueError(f"expected one list or object whose members are rows, found {named}")
    (head,) = heads
    rests = {name: path[len(head) + 1 :] for name, path in starred.items()}
    return [
        plain | {name: key for name, rest in rests.items() if not rest} | row
        for key, member in _members(follow(value, head), is_outer=is_outer)
        for row in rows_of(member, {name: rest for name, rest in rests.items() if rest}, is_outer=True)
    ]


def head_of(name: str, columns: Sequence[str]) -> tuple[str, Path] | None:
    """Return the column that a name begins with, the longest, and the path in it; None where there is none."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if (head := ".".join(parts[:length])) in columns:
            return head, tuple(parts[length:])
    return None


def is_told(name: str, columns: Sequence[str]) -> bool:
    """Return whether a dotted name is of a column, or of something that lies in one."""
    return name in columns or any(column.startswith(f"{name}.") for column in columns)


def _members(value: Any, *, is_outer: bool) -> Iterator[tuple[Any, Any]]:
    value = _read(value)
    if isinstance(value, dict) and value:
        yield from value.items()
    elif isinstance(value, list) and value:
        # Arrow's maps are lists of pairs.
        is_map = all(isinstance(item, tuple) and len(item) == 2 for item in value)
        yield from value if is_map else ((item, item) for item in value)
    elif is_outer:
        yield None, None


def _read(value: Any) -> Any:
    """Return what JSON in a text says; None where the text is none."""
    if not (isinstance(value, str) and value.lstrip()[:1] in ("{", "[")):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None
