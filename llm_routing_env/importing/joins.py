"""Other files whose rows belong to those of a source, by keys: questions beside answers, requests beside responses."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Join:
    """Another file; `NAME.column` is a column of its rows.

    Attributes:
        name: What its columns' names begin with.
        file: Its path; "beside/x" is x beside each file of the source, where it may be missing.
        keys: The columns of the source that say together which row belongs to it, and the same in the other file.
        shape: What is done to each of its rows.
        is_merged: Whether rows of the same keys are parts of one; else each must be the only one.
    """

    name: str
    file: Path
    keys: Mapping[str, str]
    shape: Callable[[Row], Row] = dict
    is_merged: bool = False

    def path_for(self, source: Path) -> Path:
        """Return the file for a file of the source."""
        beside = self.file.parts[:1] == ("beside",)
        return source.parent.joinpath(*self.file.parts[1:]) if beside else self.file

    def may_lack(self, key: str) -> bool:
        """Return whether a file may have no such column: every row is then as if it were empty."""
        return len(self.keys) > 1 and key != next(iter(self.keys))


class Joined:
    """The rows of joined files, each read when it is first asked for.

    Attributes:
        n_unmatched: How many rows of the source have none, by the join's name.
    """

    def __init__(self, joins: Sequence[Join], read: Callable[[Path], Iterator[Row]]) -> None:
        """Take the joins, and what reads a file."""
        self._joins, self._read = {join.name: join for join in joins}, read
        self.n_unmatched = {join.name: 0 for join in joins}
        self._rows_by_key = lru_cache(maxsize=4)(self._read_by_key)

    def rows(self, name: str, source: Path, keys: Sequence[Sequence[Any]]) -> list[Row | None]:
        """Return for each row of a file of the source the row that belongs to it, by its keys; None where none does."""
        join = self._joins[name]
        path = join.path_for(source)
        if join.file != path and not path.exists():
            return [None] * len(keys[0])
        found = self._rows_by_key(path, name)
        rows = [found.get(_key(each)) for each in zip(*keys, strict=True)]
        self.n_unmatched[name] += rows.count(None)
        return rows

    def _read_by_key(self, path: Path, name: str) -> dict[str, Row]:
        join = self._joins[name]
        found: dict[str, Row] = {}
        first = next(iter(join.keys.values()))
        for number, row in enumerate(self._read(path)):
            if row.get(first) is None:
                raise ValueError(f"{path}, row {number}: expected a key {first!r} to join by, found {list(row)[:8]}.")
            key = _key([row.get(name) for name in join.keys.values()])
            try:
                shaped = join.shape(row)
            except (LookupError, TypeError, AttributeError) as error:
                shown = f"{type(error).__name__}: {error}"
                raise ValueError(f"{path}, row {number}: not laid out as such files are ({shown}).") from error
            if key in found and not join.is_merged and found[key] != shaped:
                raise ValueError(f"{path}, row {number}: expected each {first!r} once, found {row[first]!r:.60} again.")
            found[key] = {**found.get(key, {}), **shaped}
        return found


def _key(values: Sequence[Any]) -> str:
    return json.dumps([_plain(value) for value in values], sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    """Return a key as what it equals in files that write numbers otherwise: 5, "5" and 5.0 are the same."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, dict | list | None) else str(value)
