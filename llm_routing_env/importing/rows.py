"""Imported rows in memory: texts as codes into a vocabulary, numbers as arrays; responses wait on disk.

A prompt is repeated once per LLM in the file; here it is held once.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_routing_env.importing.columns import NO_REFERENCES, TEXT, Column
from llm_routing_env.importing.scores import Floats
from llm_routing_env.importing.sources import Batch
from llm_routing_env.tables.check import OPTIONAL_NUMBERS

Codes = NDArray[np.int32]
ABSENT = -1  # the code of an empty cell
COUNTS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "n_attempts")
NUMBERS = ("accuracy", "cost_usd", "latency_s", "prompt_tokens", "completion_tokens", *OPTIONAL_NUMBERS)


class Growing:
    """An array that grows at its end; what it holds is not copied where the system can move it."""

    def __init__(self, kind: type) -> None:
        self._held: NDArray[Any] = np.empty(1024, dtype=kind)
        self._length = 0

    def add(self, values: NDArray[Any]) -> None:
        """Append values."""
        end = self._length + len(values)
        if end > len(self._held):
            self._held.resize(max(end, len(self._held) * 3 // 2), refcheck=False)
        self._held[self._length : end] = values
        self._length = end

    @property
    def values(self) -> NDArray[Any]:
        """All values; to be asked for once nothing is appended any more."""
        return self._held[: self._length]


class Vocabulary:
    """A text column: each distinct text once, in order of first appearance, and a code per row."""

    def __init__(self, n_absent: int) -> None:
        """Begin with so many empty cells."""
        self._known: dict[str, int] = {}
        self._texts: list[str] = []
        self._codes = Growing(np.int32)
        self._codes.add(np.full(n_absent, ABSENT))

    def add(self, texts: pa.Array) -> None:
        """Append rows."""
        encoded = pc.dictionary_encode(texts)
        known = [self._known.setdefault(text, len(self._known)) for text in encoded.dictionary.to_pylist()]
        codes = np.array([*known, ABSENT], dtype=np.int32)
        self._codes.add(codes[pc.fill_null(encoded.indices, ABSENT).to_numpy(zero_copy_only=False)])

    @property
    def texts(self) -> list[str]:
        """The distinct texts, by code; nothing can be appended any more."""
        if self._known:
            self._texts = list(self._known)
            self._known.clear()
        return self._texts

    @property
    def codes(self) -> Codes:
        """The code of every row; `ABSENT` for an empty cell."""
        return self._codes.values


class Spool:
    """Batches of texts that wait in a temporary file: all responses together may be larger than memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the spool
        self._is_closed = False
        self._writer = pa.ipc.new_stream(self._file, pa.schema([("text", TEXT)]), options=_FAST)

    def add(self, texts: pa.Array) -> None:
        """Append rows."""
        self._writer.write_batch(pa.record_batch([texts], ["text"]))

    def batches(self, n_rows: int) -> Iterator[pa.Array]:
        """Yield the rows again, in their order, some at a time; nothing can be appended any more."""
        if not self._is_closed:
            self._writer.close()
            self._is_closed = True
        self._file.seek(0)
        held: list[pa.Array] = []
        for batch in pa.ipc.open_stream(self._file):
            held.append(batch.column(0))
            if sum(map(len, held)) >= n_rows or sum(each.nbytes for each in held) >= _BATCH_BYTES:
                yield pa.concat_arrays(held)
                held.clear()
        if held:
            yield pa.concat_arrays(held)


_BATCH_BYTES = 2**24
_FAST = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass
class Rows:
    """What files hold, one row per (query, LLM, repeat), in their order.

    Attributes:
        path: The first file.
        names: What each role's cells were taken from, by role, for people.
        not_read: The files' other columns.
        keep: Which of several rows of a query, LLM and repeat counts; None: there may be one only.
        texts: Text columns by role; `response` apart, because its texts hardly repeat.
        numbers: Number columns by role, NaN where empty.
        responses: In the same batches as everything else; None where there are none.
        remarks: What must stay with the table.
        n_rows: How many rows.
        n_left_out: How many rows of the files are not among them, by flag or preset.
        batches: Where each batch of rows is from: its file, and its columns by role.
        starts: The first row of each batch.
        file_rows: Where in its file each row is from.
    """

    path: Path
    names: Mapping[str, str]
    not_read: tuple[str, ...] = ()
    keep: str | None = None
    texts: dict[str, Vocabulary] = field(default_factory=dict)
    numbers: dict[str, Growing] = field(default_factory=dict)
    responses: Spool | None = None
    remarks: list[str] = field(default_factory=list)
    n_rows: int = 0
    n_left_out: int = 0
    batches: list[tuple[Path, Mapping[str, Column]]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    file_rows: Growing = field(default_factory=lambda: Growing(np.int32))

    def begin(self, batch: Batch, columns: Mapping[str, Column]) -> None:
        """Remember where the next rows are from."""
        self.starts.append(self.n_rows)
        self.batches.append((batch.path, columns))
        self.file_rows.add(batch.rows)
        self.n_rows += len(batch.rows)

    def add_texts(self, role: str, texts: pa.Array) -> None:
        """Append a batch of a text column; what came before without it is empty."""
        if role not in self.texts:
            self.texts[role] = Vocabulary(self.starts[-1])
        self.texts[role].add(texts)

    def add_numbers(self, role: str, values: Floats) -> None:
        """Append a batch of a number column."""
        self.numbers.setdefault(role, Growing(np.float64)).add(values)

    def array(self, role: str) -> Floats | None:
        """Return a number column; None where the file has none, or only empty cells."""
        values = self.numbers[role].values if role in self.numbers else None
        return None if values is None or np.isnan(values).all() else values

    def forget(self) -> None:
        """Forget all rows."""
        self.texts.clear()
        self.numbers.clear()
        self.batches.clear()
        self.responses = None

    def where(self, row: "int | np.int64", *, beside: "int | np.int64 | None" = None) -> str:
        """Return the file and the row in it that a row was made of; without the file where `beside` is of it too."""
        path, _ = self._origin(row)
        is_same = beside is not None and self._origin(beside)[0] == path
        return f"row {self.file_rows.values[row]}" if is_same else f"{path}, row {self.file_rows.values[row]}"

    def text(self, role: str, row: "int | np.int64") -> str | None:
        """Return one cell of a text column."""
        code = self.texts[role].codes[row]
        return None if code == ABSENT else self.texts[role].texts[code]

    def refusal(self, role: str, row: "int | np.int64", expected: str, found: Any, fix: str = "") -> ValueError:
        """Return the error for one cell."""
        _, columns = self._origin(row)
        of = "prompt" if role == "messages" and role not in columns else role
        return columns[of].refusal(self.file_rows.values[row], expected, found, fix)

    def cell_name(self, row: "int | np.int64") -> str:
        """Return which query and LLM a row is about."""
        return f"query {self.text('query_id', row)!r}, LLM {self.text('llm', row)!r}"

    def _origin(self, row: "int | np.int64") -> tuple[Path, Mapping[str, Column]]:
        return self.batches[int(np.searchsorted(self.starts, row, "right")) - 1]


def spread_references(rows: Rows) -> None:
    """Give every row the references of its query's first row that has some: a failed call's row often lacks them."""
    if "references" not in rows.texts:
        return
    references, query = rows.texts["references"], rows.texts["query_id"].codes
    codes = references.codes
    empty = next((code for code, text in enumerate(references.texts) if text == NO_REFERENCES), ABSENT)
    is_empty = codes == empty
    if not is_empty.any():
        return
    filled = np.flatnonzero(~is_empty)
    queries, first = np.unique(query[filled], return_index=True)
    of_query = np.full(int(query.max()) + 1, empty, dtype=codes.dtype)
    of_query[queries] = codes[filled[first]]
    codes[is_empty] = of_query[query[is_empty]]
