"""Imported rows in memory: texts as codes into a vocabulary, numbers as arrays, responses as Arrow chunks.

A prompt is repeated once per LLM in the file; here it is held once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_routing_env.importing.columns import TEXT, Column, Floats
from llm_routing_env.tables.check import OPTIONAL_NUMBERS

Codes = NDArray[np.int32]
ABSENT = -1  # the code of an empty cell
NUMBERS = ("accuracy", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens", "repeat", *OPTIONAL_NUMBERS)


class Vocabulary:
    """A text column: each distinct text once, in order of first appearance, and a code per row."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._chunks: list[Codes] = []

    def add(self, texts: pa.Array, *, each: int = 1) -> None:
        """Append rows, every text `each` times in succession."""
        encoded = pc.dictionary_encode(texts)
        known = [self._codes.setdefault(text, len(self._codes)) for text in encoded.dictionary.to_pylist()]
        codes = np.array([*known, ABSENT], dtype=np.int32)
        positions = pc.fill_null(encoded.indices, ABSENT).to_numpy(zero_copy_only=False)
        self._chunks.append(np.repeat(codes[positions], each))

    @property
    def texts(self) -> list[str]:
        """The distinct texts, by code."""
        return list(self._codes)

    @property
    def codes(self) -> Codes:
        """The code of every row; `ABSENT` for an empty cell."""
        self._chunks = [np.concatenate(self._chunks)]
        return self._chunks[0]


@dataclass
class Rows:
    """What a file holds, one row per (query, LLM, repeat), in file order.

    Attributes:
        path: The file.
        columns: Where each role's cells came from, by role.
        not_read: The file's other columns.
        file_rows: Chunks of the file's row that each row was made of, counted from 0 without the header.
        texts: Text columns by role; `response` apart, because its texts hardly repeat.
        numbers: Chunks of the number columns by role, NaN where empty.
        responses: Chunks of the responses.
    """

    path: Path
    columns: dict[str, Column]
    not_read: tuple[str, ...] = ()
    file_rows: list[NDArray[np.int64]] = field(default_factory=list)
    texts: dict[str, Vocabulary] = field(default_factory=dict)
    numbers: dict[str, list[Floats]] = field(default_factory=dict)
    responses: list[pa.Array] = field(default_factory=list)

    def add_texts(self, role: str, texts: pa.Array, *, each: int = 1) -> None:
        """Append a batch of a text column."""
        self.texts.setdefault(role, Vocabulary()).add(texts, each=each)

    def add_numbers(self, role: str, values: Floats) -> None:
        """Append a batch of a number column."""
        self.numbers.setdefault(role, []).append(values)

    def array(self, role: str) -> Floats | None:
        """Return a number column; None where the file has none, or only empty cells."""
        if role not in self.numbers:
            return None
        self.numbers[role] = [np.concatenate(self.numbers[role])]
        values = self.numbers[role][0]
        return None if np.isnan(values).all() else values

    def take_responses(self, order: NDArray[np.int64] | None, n_rows: int) -> pa.ChunkedArray:
        """Return the responses in an order (None: the file's), and forget them; "" where there are none."""
        chunks, self.responses = self.responses, []
        if not chunks:
            return pa.chunked_array([pa.array(np.full(n_rows, ""), TEXT)])
        if order is None:
            return pa.chunked_array([pc.fill_null(chunk, "") for chunk in chunks], TEXT)
        together = pa.concat_arrays(chunks)
        chunks.clear()
        return pa.chunked_array([pc.fill_null(together.take(part), "") for part in _parts(order)], TEXT)

    def where(self, row: int) -> int:
        """Return the file's row that a row was made of."""
        self.file_rows = [np.concatenate(self.file_rows)]
        return int(self.file_rows[0][row])

    def text(self, role: str, row: int) -> str | None:
        """Return one cell of a text column."""
        code = self.texts[role].codes[row]
        return None if code == ABSENT else self.texts[role].texts[code]

    def refusal(self, role: str, row: int, expected: str, found: Any, fix: str = "") -> ValueError:
        """Return the error for one cell; in the wide form a role has a column per LLM."""
        column = self.columns.get(role) or self.columns[f"{role} {self.text('llm', row)}"]
        return column.refusal(self.where(row), expected, found, fix)

    def cell_name(self, row: int) -> str:
        """Return which query and LLM a row is about."""
        return f"query {self.text('query_id', row)!r}, LLM {self.text('llm', row)!r}"


def _parts(order: NDArray[np.int64], size: int = 65_536) -> Iterable[pa.Array]:
    return (pa.array(order[start : start + size]) for start in range(0, len(order), size))
