"""Reads JSON objects out of a file: one per line, in one array, or one after another over many lines.

The standard library's decoder, because files of this job mix types in a key, bring keys late, hold integers of any
length and halves of characters, and come as one object of many megabytes: of what was tried (pyarrow, duckdb, polars,
orjson, msgspec) nothing else reads all of these.
"""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from llm_routing_env.importing.files import CountedBytes, DataFile
from llm_routing_env.tables.chat import HALF_A_CHARACTER

MOST_CHARACTERS = 2**27  # of one object: a log may be one
Row = Mapping[str, Any]
_CHUNK = 2**20
# Bound what is in memory as Python objects.
_BATCH_OBJECTS, _BATCH_CHARACTERS = 4096, 2**22
_BETWEEN = re.compile(r"[\s,]*")
_HALF_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
_NEAR_END = 16  # characters: more than any word or number that may be cut
_PEEKED = 100  # objects whose keys' keys are told
_DEEPEST = 5


class JsonRows:
    """The objects of a file.

    Attributes:
        n_replaced: In how many objects so far a half of a character was replaced by U+FFFD.
    """

    def __init__(self, file: DataFile, encoding: str, shape: Callable[[Row], Row] = dict) -> None:
        """Describe the file; reads nothing yet. Every object is shaped before anybody sees it."""
        self._file, self._encoding, self._shape = file, encoding, shape
        self.n_replaced, self._n_characters = 0, 0
        self._content: CountedBytes | None = None

    @property
    def share_read(self) -> float:
        """How much of the file is read, from 0 to 1."""
        return 0.0 if self._content is None or self._content.closed else self._content.share_read

    def columns(self) -> tuple[list[str], list[str]]:
        """Return the keys of all objects, and dotted names of what lies in the first ones."""
        top, inner, known = dict[str, None](), dict[str, None](), set[tuple[str, ...]]()
        for number, found in enumerate(self.objects()):
            if (keys := tuple(found)) not in known:  # nearly all objects have the same
                known.add(keys)
                top.update(dict.fromkeys(keys))
            if number < _PEEKED:
                inner.update(dict.fromkeys(_dotted(found)))
        return list(top), [name for name in inner if name not in top]

    def batches(self, columns: Sequence[str]) -> Iterator[Mapping[str, list[Any]]]:
        """Yield some keys' values, None where an object lacks the key."""
        held: list[Row] = []
        for found in self.objects():
            held.append(found)
            if len(held) == _BATCH_OBJECTS or self._n_characters >= _BATCH_CHARACTERS:
                yield {name: [each.get(name) for each in held] for name in columns}
                held, self._n_characters = [], 0
        if held:
            yield {name: [each.get(name) for each in held] for name in columns}

    def objects(self) -> Iterator[Row]:
        """Yield the objects.

        Raises:
            ValueError: Names the line where something else stands.
        """
        self.n_replaced = 0
        with self._file.opened() as content:
            signed = "utf-8-sig" if self._encoding.lower().replace("_", "-") in ("utf-8", "utf8") else self._encoding
            try:
                # Undecodable bytes become halves of characters, so that the error can name their row and column.
                self._content = content
                text = io.TextIOWrapper(io.BufferedReader(content, _CHUNK), signed, "surrogateescape", newline="")
                for found, length, has_escapes in _values(text, self._file.path):
                    self._n_characters += length
                    yield self._shaped(self._whole(found) if has_escapes else found)
            except (LookupError, UnicodeError) as error:
                where = f"{self._file.path}: --encoding {self._encoding!r}"
                raise ValueError(f"{where} does not fit the file: {error}.") from error

    def _shaped(self, found: Row) -> Row:
        try:
            return self._shape(found)
        except (LookupError, TypeError, AttributeError) as error:
            shown = f"{type(error).__name__}: {error}"
            raise ValueError(f"{self._file.path}: not laid out as such files are ({shown}): {found!r:.60}.") from error

    def _whole(self, found: dict[str, Any]) -> dict[str, Any]:
        try:
            whole, n_halves = _without_halves(found)
        except RecursionError:
            raise ValueError(f"{self._file.path}: half a character in an object of too many brackets.") from None
        self.n_replaced += n_halves > 0
        return dict(whole)


def _values(text: TextIO, path: Path) -> Iterator[tuple[dict[str, Any], int, bool]]:
    """Yield each object, how many characters it is, and whether escapes in it may spell halves of characters."""
    decode, buffer, place, line = json.JSONDecoder().raw_decode, "", 0, 1
    in_array = is_end = False
    while True:
        place = _BETWEEN.match(buffer, place).end()  # type: ignore[union-attr]
        try:
            if buffer.startswith("[" if not in_array else "]", place):
                in_array, place = not in_array, place + 1
                continue
            found, end = decode(buffer, place)
            fault = "" if isinstance(found, dict) else f"found a {type(found).__name__}"
        except (ValueError, RecursionError) as error:
            if not is_end and _may_be_cut(error, len(buffer)):
                line, buffer = line + buffer.count("\n", 0, place), buffer[place:]
                more = text.read(max(_CHUNK, len(buffer)))
                buffer, place, is_end = buffer + more, 0, not more
                if len(buffer) > MOST_CHARACTERS + _CHUNK:
                    raise ValueError(
                        f"{path}, line {line}: an object of more than {MOST_CHARACTERS} characters."
                    ) from None
                continue
            if place == len(buffer) and not in_array:
                return
            fault = f"found {buffer[place : place + 40]!r}: {_reason(error)}"
        if fault:
            line += buffer.count("\n", 0, place)
            raise ValueError(f"{path}, line {line}: expected JSON objects, {fault}.")
        yield found, end - place, buffer.find("\\u", place, end) >= 0 and bool(_HALF_ESCAPED.search(buffer, place, end))
        place = end


def _may_be_cut(error: Exception, length: int) -> bool:
    """Return whether the error may be that a part of the object is not read yet."""
    if not isinstance(error, json.JSONDecodeError):
        return False  # an integer of thousands of digits, or too many brackets
    return error.msg.startswith("Unterminated string") or error.pos >= length - _NEAR_END


def _reason(error: Exception) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error).partition(";")[0]


def _without_halves(value: Any) -> tuple[Any, int]:
    """Return a value with U+FFFD for each half of a character that an escape spelled, and how many there were."""
    if isinstance(value, str):
        return HALF_A_CHARACTER.subn("\ufffd", value)
    if isinstance(value, dict):
        keys, values = (_all_without_halves(part) for part in (value, value.values()))
        return dict(zip(keys[0], values[0], strict=True)), keys[1] + values[1]
    return _all_without_halves(value) if isinstance(value, list) else (value, 0)


def _all_without_halves(values: Iterable[Any]) -> tuple[list[Any], int]:
    found = [_without_halves(value) for value in values]
    return [value for value, _ in found], sum(n for _, n in found)


def _dotted(found: Row, depth: int = 0) -> Iterator[str]:
    for key, value in found.items():
        if isinstance(value, dict) and value and depth < _DEEPEST:
            yield from (f"{key}.{name}" for name in _dotted(value, depth + 1))
        else:
            yield key
