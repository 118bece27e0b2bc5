"""A batch of cells on its way into rows: each role's cells are read as what it is."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from llm_routing_env.importing.columns import TEXT, Column, mapped
from llm_routing_env.importing.numbers import read_numbers, read_scores
from llm_routing_env.importing.preset import Preset, Reading
from llm_routing_env.importing.rows import COUNTS, NUMBERS, Rows, Spool
from llm_routing_env.importing.scores import Floats
from llm_routing_env.importing.sources import Batch

_TEXTS = ("query_id", "llm", "context", "split", "repeat", "references", "finish_reason")
_NO_CONTEXT = "--context NAME puts every query into one context"


@dataclass(frozen=True)
class Adding:
    """One batch on its way into rows."""

    rows: Rows
    batch: Batch
    columns: Mapping[str, Column]
    preset: Preset
    reading: Reading
    factors: Mapping[str, float]

    def add(self) -> None:
        """Append the batch's rows."""
        self._add_prompts()
        self._add_errors()
        if self.preset.context_of_id is not None and "context" not in self.batch.cells:
            self.rows.add_texts("context", mapped(self.preset.context_of_id, self._texts("query_id")))
        for role in self.batch.cells.keys() & set(_TEXTS):
            self.rows.add_texts(role, self._texts(role))
        if "response" in self.batch.cells or self.reading.score:
            self.rows.responses = self.rows.responses or Spool()
            self.rows.responses.add(self._texts("response"))
        for role in NUMBERS:
            if role in self.batch.cells and not (role == "accuracy" and self.reading.score):
                self.rows.add_numbers(role, self._numbers(role))

    def _texts(self, role: str) -> pa.Array:
        """Return the cells of a column of texts."""
        cells, column, where = self.batch.cells.get(role), self.columns.get(role), self.batch.rows
        if cells is None or column is None:
            return pa.nulls(len(self.batch.rows), TEXT)
        if role == "references":
            texts = column.references(cells, where)
        elif role == "finish_reason":
            texts = column.remarks(cells, where)
        else:
            texts = column.texts(cells, where, required=required(role, column))
        if role == "response" and self.preset.clean is not None:
            texts = mapped(self.preset.clean, texts)
        if role == "query_id" and self.reading.has_ids_per_context:
            contexts = self.columns["context"].texts(self.batch.cells["context"], where)
            texts = pc.binary_join_element_wise(contexts, texts, pa.scalar("/", TEXT))
        return texts

    def _add_prompts(self) -> None:
        """Append prompts, and chats: from a column of their own, else from the prompts that are chats."""
        column, own, where = self.columns["prompt"], self.columns.get("messages"), self.batch.rows
        cells, chats = column.chats(self.batch.cells["prompt"], where)
        prompts = column.texts(cells, where, required=required("prompt", column))
        if own is not None:
            chats = pc.coalesce(own.messages(self.batch.cells["messages"], where, prompts), chats)
        elif chats.null_count < len(chats):
            self.rows.names = {**self.rows.names, "messages": column.name}
        if self.preset.clean is not None:
            prompts = mapped(self.preset.clean, prompts)
        self.rows.add_texts("prompt", prompts)
        if chats.null_count < len(chats) or "messages" in self.rows.texts:
            self.rows.add_texts("messages", chats)

    def _add_errors(self) -> None:
        """Append why calls failed, as either column says."""
        said = [
            self.columns[role].errors(self.batch.cells[role], self.batch.rows, is_success=role == "success")
            for role in ("error", "success")
            if role in self.batch.cells
        ]
        if said:
            self.rows.add_texts("error", pc.coalesce(*said))

    def _numbers(self, role: str) -> Floats:
        column, cells = self.columns[role], self.batch.cells[role]
        if role == "accuracy":
            return read_scores(column, cells, self.batch.rows, self.reading.scale)
        is_count = role in COUNTS
        return read_numbers(column, cells, self.batch.rows, self.factors.get(role, 1.0), is_count=is_count)


def required(role: str, column: Column) -> str:
    """Return what to do about an empty cell; "" where a cell may be empty."""
    if role in ("response", "repeat"):
        return ""
    otherwise = _NO_CONTEXT if role == "context" else f"fill it, or {column.flag} names another column"
    return column.fix or otherwise
