"""One column of somebody's file, read as texts, or refused with the row that does not fit."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_routing_env.importing.sources import Cells, Ints, as_list
from llm_routing_env.tables.chat import beyond_prompt, from_json, last_question, read_messages, to_json

TEXT = pa.large_string()
NO_REFERENCES = "[]"
ABSENT_WORDS = ("", "na", "n/a", "nan", "null", "none")
_YES, _NO = ("true", "yes", "ok", "success", "succeeded"), ("false", "no", "error", "fail", "failed", "failure")
_SHOWN = 60
_ABOUT = ("id", "source", "model", "metadata", "annotations", "refusal")  # of a logged chat message


@dataclass(frozen=True)
class Column:
    """Where cells come from, for messages.

    Attributes:
        path: The file.
        name: The column's name in it.
        flag: The command-line flag that names the column.
        fix: What to do about a cell that does not fit; by default, name another column.
    """

    path: Path
    name: str
    flag: str
    fix: str = ""

    def refusal(self, row: "int | np.int64", expected: str, found: Any, fix: str = "") -> ValueError:
        """Return the error for a cell: rows count from 0, without the header."""
        try:
            shown = repr(found)
        except ValueError:  # an integer of thousands of digits
            shown = "an integer of thousands of digits"
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
        fix = fix or self.fix or f"{self.flag} names another column"
        return ValueError(f"{self.path}, row {row}, column {self.name!r}: expected {expected}, found {shown}; {fix}.")

    def texts(self, cells: Cells, rows: Ints, *, required: str = "") -> pa.Array:
        """Return cells as text; a list of texts becomes its lines.

        Args:
            cells: Of one batch.
            rows: Where in the file each is from.
            required: What to do about an empty cell; "" where cells may be empty (null).
        """
        if isinstance(cells, pa.Array) and not pa.types.is_nested(cells.type):
            texts = self.cast(cells, TEXT, rows, "text")
        else:
            items = as_list(cells)
            try:
                texts = pa.array(items, TEXT)
            except (pa.ArrowException, TypeError, UnicodeEncodeError):
                texts = pa.array([self._text(item, row) for item, row in zip(items, rows, strict=True)], TEXT)
        if required:
            empty = pc.fill_null(pc.equal(texts, ""), True).to_numpy(zero_copy_only=False)
            if empty.any():
                raise self.refusal(rows[np.argmax(empty)], "a text", None, required)
        return texts

    def values(self, cells: Cells) -> pa.Array:
        """Return cells of any kind as text, to be compared; "" where one is empty."""
        texts = [
            item if isinstance(item, str) else "" if item is None else json.dumps(item, default=str)
            for item in as_list(cells)
        ]
        return pa.array([text.encode(errors="replace").decode() for text in texts], TEXT)

    def chats(self, cells: Cells, rows: Ints) -> tuple[Cells, pa.Array]:
        """Return cells of which each list of chat messages is its last user message, and the chats as JSON.

        A chat is null where the cell says it all: a text, a list of texts, or one user message.
        """
        if isinstance(cells, pa.Array) and not pa.types.is_nested(cells.type):
            return cells, pa.nulls(len(cells), TEXT)
        items = as_list(cells)
        prompts, chats = list(items), list[str | None]([None] * len(items))
        for place, item in enumerate(items):
            if isinstance(item, list) and any(isinstance(part, dict) for part in item):
                try:
                    messages = read_messages([_plain(part) for part in item])
                except ValueError as fault:
                    raise self.refusal(rows[place], f"a list of chat messages ({fault})", item) from None
                prompts[place] = last_question(messages)
                chats[place] = to_json(messages) if beyond_prompt(messages) else None
        return prompts, pa.array(chats, TEXT)

    def messages(self, cells: Cells, rows: Ints, prompts: pa.Array) -> pa.Array:
        """Return chats, given as JSON or as lists, as JSON; null where a cell is empty or its prompt says it all.

        Args:
            cells: Of one batch.
            rows: Where in the file each is from.
            prompts: The same rows' prompts: each must be the last user message.
        """
        found, known = list[str | None](), dict[tuple[str, str], str | None]()  # each LLM has the same chat again
        for row, item, prompt in zip(rows, as_list(cells), prompts.to_pylist(), strict=True):
            try:
                chat = (item if isinstance(item, str) else json.dumps(item) if item else "", prompt)
                if chat not in known:
                    messages = from_json(*chat) if chat[0] else ()
                    known[chat] = to_json(messages) if messages else None
            except (ValueError, TypeError) as fault:
                raise self.refusal(row, f"chat messages ({fault})", item) from None
            found.append(known[chat])
        return pa.array(found, TEXT)

    def remarks(self, cells: Cells, rows: Ints) -> pa.Array:
        """Return cells as text, null where nothing is said; numbers are refused: a 0 among errors is none."""
        if isinstance(cells, pa.Array) and pa.types.is_null(cells.type):
            return cells.cast(TEXT)
        items = as_list(cells)
        for row, item in zip(rows, items, strict=True):
            if not isinstance(item, str | None):
                raise self.refusal(row, "a text", item)
        texts = self.texts(items, rows)
        return pc.if_else(pc.is_in(pc.utf8_lower(texts), pa.array(ABSENT_WORDS, TEXT)), pa.scalar(None, TEXT), texts)

    def errors(self, cells: Cells, rows: Ints, *, is_success: bool) -> pa.Array:
        """Return why calls failed, null where they did not.

        Args:
            cells: Texts, objects, or whether the call failed; or whether it succeeded, or its HTTP status.
            rows: Where in the file each is from.
            is_success: Which of the two.
        """
        if is_success:
            return pa.array([self._failure(*each) for each in zip(as_list(cells), rows, strict=True)], TEXT)
        return self.remarks([self._reason(item) for item in as_list(cells)], rows)

    def references(self, cells: Cells, rows: Ints) -> pa.Array:
        """Return each cell, a text or a list of texts, as the JSON list of the texts in it."""
        if isinstance(cells, pa.Array) and not pa.types.is_nested(cells.type):
            encoded = pc.dictionary_encode(self.texts(cells, rows))
            lists = pa.array([json.dumps([text] if text else []) for text in encoded.dictionary.to_pylist()], TEXT)
            return pc.fill_null(lists.take(encoded.indices), NO_REFERENCES)
        found = []
        for row, item in zip(rows, as_list(cells), strict=True):
            texts = item if isinstance(item, list) else [item]
            found.append(json.dumps([self._text(text, row) for text in texts if text not in (None, "")]))
        return pa.array(found, TEXT)

    def cast(self, cells: pa.Array, kind: pa.DataType, rows: Ints, expected: str) -> pa.Array:
        """Return cells of a type that Arrow knows as another."""
        try:
            return cells.cast(kind)
        except pa.ArrowException:
            place = next(place for place in range(len(cells)) if not _can_cast(cells[place : place + 1], kind))
            raise self.refusal(rows[place], expected, cells[place].as_py()) from None

    def _reason(self, item: Any) -> Any:
        """Return what an error column says: whether there was one, or what, in whatever form."""
        word = str(item).strip().lower() if isinstance(item, bool | int | str) else ""
        if word in ("false", "no", "0", "0.0") or item in ({}, []):
            return None
        if word in ("true", "yes", "1", "1.0"):
            return self.name
        return json.dumps(item, default=str) if isinstance(item, dict | list) else item

    def _failure(self, item: Any, row: "int | np.int64") -> str | None:
        word = str(item).strip().lower()
        if word in ABSENT_WORDS or word in _YES or word in ("1", "1.0"):
            return None
        if word in _NO or word in ("0", "0.0"):
            return f"{self.name} is {item}"
        if word.isdigit() and len(word) == 3:
            return None if word.startswith("2") else f"HTTP {word}"
        raise self.refusal(row, "whether the call succeeded: true or false, or an HTTP status", item)

    def _text(self, item: Any, row: "int | np.int64") -> str | None:
        if isinstance(item, list) and all(isinstance(line, str) for line in item):
            item = "\n".join(item)
        if item is not None and not isinstance(item, str | int | float):
            raise self.refusal(row, "a text", item)
        try:
            text = None if item is None else str(item)
            (text or "").encode()
        except UnicodeEncodeError:
            fix = "--encoding names the file's own, such as latin-1"
            raise self.refusal(row, "text in the file's encoding", item, fix) from None
        except ValueError:
            raise self.refusal(row, "a text", item) from None
        return text


def _can_cast(cell: pa.Array, kind: pa.DataType) -> bool:
    try:
        cell.cast(kind)
    except pa.ArrowException:
        return False
    return True


def _plain(message: Any) -> Any:
    """Return a chat message without what a log says about it that no LLM was sent."""
    return {key: value for key, value in message.items() if key not in _ABOUT} if isinstance(message, dict) else message


def constant(text: str, n_rows: int) -> pa.Array:
    """Return cells that all say the same."""
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n_rows, np.int32)), pa.array([text], TEXT))


def mapped(change: Callable[[str], str], texts: pa.Array) -> pa.Array:
    """Return texts as a function makes them, asked once for each distinct text of the batch."""
    encoded = pc.dictionary_encode(texts)
    return pa.array([change(text) for text in encoded.dictionary.to_pylist()], TEXT).take(encoded.indices)
