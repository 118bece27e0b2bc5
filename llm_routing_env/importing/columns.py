"""One column of somebody's file, read as texts or numbers, or refused with the row that does not fit."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_routing_env.importing.sources import Cells
from llm_routing_env.tables.chat import beyond_prompt, from_json, last_question, read_messages, to_json

Floats = NDArray[np.float64]
TEXT = pa.large_string()
_ABSENT = ("", "na", "n/a", "nan", "null", "none")
_SHOWN = 60


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

    def refusal(self, row: int, expected: str, found: Any, fix: str = "") -> ValueError:
        """Return the error for a cell: rows count from 0, without the header."""
        shown = repr(found)
        shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
        fix = fix or self.fix or f"{self.flag} names another column"
        return ValueError(f"{self.path}, row {row}, column {self.name!r}: expected {expected}, found {shown}; {fix}.")

    def texts(self, cells: Cells, first_row: int, *, required: str = "") -> pa.Array:
        """Return cells as text; a list of texts becomes its lines.

        Args:
            cells: Of one batch.
            first_row: The batch's first row.
            required: What to do about an empty cell; "" where cells may be empty (null).
        """
        if isinstance(cells, pa.Array) and not pa.types.is_nested(cells.type):
            texts = self._cast(cells, TEXT, first_row, "text")
        else:
            items = cells.to_pylist() if isinstance(cells, pa.Array) else cells
            try:
                texts = pa.array(items, TEXT)
            except (pa.ArrowException, TypeError, UnicodeEncodeError):
                texts = pa.array([self._text(item, first_row + i) for i, item in enumerate(items)], TEXT)
        if required:
            empty = pc.fill_null(pc.equal(texts, ""), True).to_numpy(zero_copy_only=False)
            if empty.any():
                raise self.refusal(first_row + int(np.argmax(empty)), "a text", None, required)
        return texts

    def chats(self, cells: Cells, first_row: int) -> tuple[Cells, pa.Array]:
        """Return cells of which each list of chat messages is its last user message, and the chats as JSON.

        A chat is null where the cell says it all: a text, a list of texts, or one user message.
        """
        if isinstance(cells, pa.Array) and not pa.types.is_nested(cells.type):
            return cells, pa.nulls(len(cells), TEXT)
        items = cells.to_pylist() if isinstance(cells, pa.Array) else cells
        prompts, chats = list(items), list[str | None]([None] * len(items))
        for place, item in enumerate(items):
            if isinstance(item, list) and any(isinstance(part, dict) for part in item):
                try:
                    messages = read_messages(item)
                except ValueError as fault:
                    raise self.refusal(first_row + place, f"a list of chat messages ({fault})", item) from None
                prompts[place] = last_question(messages)
                chats[place] = to_json(messages) if beyond_prompt(messages) else None
        return prompts, pa.array(chats, TEXT)

    def messages(self, cells: Cells, first_row: int, prompts: pa.Array) -> pa.Array:
        """Return chats, given as JSON or as lists, as JSON; null where a cell is empty or its prompt says it all.

        Args:
            cells: Of one batch.
            first_row: The batch's first row.
            prompts: The same rows' prompts: each must be the last user message.
        """
        items = cells.to_pylist() if isinstance(cells, pa.Array) else cells
        found, known = list[str | None](), dict[tuple[str, str], str | None]()  # each LLM has the same chat again
        for row, (item, prompt) in enumerate(zip(items, prompts.to_pylist(), strict=True), start=first_row):
            try:
                chat = (item if isinstance(item, str) else json.dumps(item) if item else "", prompt)
                if chat not in known:
                    messages = from_json(*chat) if chat[0] else ()
                    known[chat] = to_json(messages) if messages else None
            except (ValueError, TypeError) as fault:
                raise self.refusal(row, f"chat messages ({fault})", item) from None
            found.append(known[chat])
        return pa.array(found, TEXT)

    def remarks(self, cells: Cells, first_row: int) -> pa.Array:
        """Return cells as text, null where nothing is said; numbers are refused: a 0 among errors is none."""
        items = cells.to_pylist() if isinstance(cells, pa.Array) else cells
        for row, item in enumerate(items, start=first_row):
            if not isinstance(item, str | None):
                raise self.refusal(row, "a text", item)
        texts = self.texts(cells, first_row)
        return pc.if_else(pc.is_in(pc.utf8_lower(texts), pa.array(_ABSENT, TEXT)), pa.scalar(None, TEXT), texts)

    def references(self, cells: Cells, first_row: int) -> pa.Array:
        """Return each cell, a text or a list of texts, as the JSON list of the texts in it."""
        if isinstance(cells, pa.Array) and not pa.types.is_nested(cells.type):
            encoded = pc.dictionary_encode(self.texts(cells, first_row))
            lists = pa.array([json.dumps([text] if text else []) for text in encoded.dictionary.to_pylist()], TEXT)
            return pc.fill_null(lists.take(encoded.indices), "[]")
        items = cells.to_pylist() if isinstance(cells, pa.Array) else cells
        found = []
        for row, item in enumerate(items, start=first_row):
            texts = item if isinstance(item, list) else [item]
            found.append(json.dumps([self._text(text, row) for text in texts if text not in (None, "")]))
        return pa.array(found, TEXT)

    def numbers(
        self, cells: Cells, first_row: int, *, at_most: float = math.inf, divide_by: float = 1.0, fix: str = ""
    ) -> Floats:
        """Return cells as floats of 0 or more, NaN where a cell is empty.

        Args:
            cells: Of one batch.
            first_row: The batch's first row.
            at_most: The highest number allowed.
            divide_by: Applied before the check.
            fix: What to do about a number above `at_most`.
        """
        raw = self._floats(cells, first_row)
        values = raw / divide_by
        bad = ~np.isnan(values) & ~(np.isfinite(values) & (values >= 0) & (values <= at_most))
        if bad.any():
            row = int(np.argmax(bad))
            expected = "a finite number, 0 or more" if at_most == math.inf else f"a number in [0, {at_most:g}]"
            scaled = f" after division by {divide_by:g}" if divide_by != 1 else ""
            raise self.refusal(
                first_row + row, expected + scaled, float(raw[row]), fix if values[row] > at_most else ""
            )
        return values

    def _floats(self, cells: Cells, first_row: int) -> Floats:
        if isinstance(cells, pa.Array):
            kind = cells.type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)):
                cast = self._cast(cells, pa.float64(), first_row, "a number")
                return np.asarray(cast.to_numpy(zero_copy_only=False), dtype=np.float64)
            cells = cells.to_pylist()
        return np.array([self._number(cell, first_row + i) for i, cell in enumerate(cells)], dtype=np.float64)

    def _cast(self, cells: pa.Array, kind: pa.DataType, first_row: int, expected: str) -> pa.Array:
        try:
            return cells.cast(kind)
        except pa.ArrowException:
            raise self.refusal(first_row, expected, cells[0].as_py()) from None

    def _text(self, item: Any, row: int) -> str | None:
        if isinstance(item, list) and all(isinstance(line, str) for line in item):
            item = "\n".join(item)
        if item is not None and not isinstance(item, str | int | float):
            raise self.refusal(row, "a text", item)
        text = None if item is None else str(item)
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            fix = "--encoding names the file's own, such as latin-1"
            raise self.refusal(row, "text in the file's encoding", item, fix) from None
        return text

    def _number(self, cell: Any, row: int) -> float:
        if isinstance(cell, str):
            cell = cell.strip()
            if cell.lower() in _ABSENT:
                return math.nan
            if cell.lower() in ("true", "false"):
                return float(cell.lower() == "true")
        try:
            return math.nan if cell is None else float(cell)
        except (TypeError, ValueError):
            raise self.refusal(row, "a number", cell) from None
