"""Reads the long form: one row per query and LLM (and repeat)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.importing.columns import TEXT, Column
from llm_routing_env.importing.rows import NUMBERS, Rows
from llm_routing_env.importing.sources import Cells, Source
from llm_routing_env.tables.check import OPTIONAL_NUMBERS

Ints = NDArray[np.int64]
# Each role's flag, the names it has unless the flag says otherwise, and whether it must be there.
ROLES: dict[str, tuple[str, tuple[str, ...], bool]] = {
    "query_id": ("--query-column", ("query_id",), True),
    "llm": ("--llm-column", ("llm",), True),
    "accuracy": ("--accuracy-column", ("accuracy",), True),
    "prompt": ("--prompt-column", ("prompt",), True),
    "references": ("--reference-column", ("references", "reference"), False),
    "response": ("--response-column", ("response",), False),
    "context": ("--context-column", ("context",), False),
    "split": ("--split-column", (), False),
    "repeat": ("--repeat-column", ("repeat",), False),
    "cost_usd": ("--cost-column", ("cost_usd",), False),
    "latency_s": ("--latency-column", ("latency_s",), False),
    "prompt_tokens": ("--prompt-tokens-column", ("prompt_tokens",), False),
    "completion_tokens": ("--completion-tokens-column", ("completion_tokens",), False),
}
REMARKS = ("error", "finish_reason")
# What a table may have of its own; without a flag, because nobody else calls a column so and means something else.
_OWN = ("messages", *REMARKS, *OPTIONAL_NUMBERS)
_NOT_OURS = "rename the column if it means something else"
_NO_CONTEXT = "--context NAME puts every query into one context"
SCALE = "--score-scale DIV divides every score by the highest one possible"


def read_long(
    source: Source,
    names: Mapping[str, str],
    *,
    context: str | None = None,
    score_scale: float = 1.0,
    excluded: Sequence[str] = (),
) -> Rows:
    """Read a long-form file.

    Args:
        source: The file.
        names: Columns by role (a key of `ROLES`), where they are not called what we call them.
        context: The context of every query, instead of a column's.
        score_scale: Every score is divided by this.
        excluded: LLMs to leave out.

    Raises:
        ValueError: One line naming file, row, column, what was expected and found, and the flag that helps.
    """
    found = source.columns()
    columns = _find_columns(source.path, found, names, context)
    read = {column.name for column in columns.values()}
    rows = Rows(source.path, dict(columns), tuple(name for name in found if name not in read))
    for first_row, batch in source.batches(sorted(read)):
        kept = _kept(columns["llm"], batch[columns["llm"].name], first_row, excluded)
        rows.file_rows.append(first_row + kept)
        _add_prompts(rows, columns, batch, first_row, kept)
        for role, column in columns.items():
            if role not in ("prompt", "messages"):
                _add(rows, role, batch[column.name], first_row, kept, score_scale)
    return rows


def _kept(llm: Column, cells: Cells, first_row: int, excluded: Sequence[str]) -> Ints:
    """Return a batch's rows that are not of the LLMs to leave out."""
    names = llm.texts(cells, first_row, required=_required("llm", llm))
    left_out = pc.is_in(names, pa.array(excluded, TEXT)).to_numpy(zero_copy_only=False)
    return np.flatnonzero(~left_out)


def _add_prompts(
    rows: Rows, columns: Mapping[str, Column], batch: Mapping[str, Cells], first_row: int, kept: Ints
) -> None:
    """Append prompts, and chats: from a column of their own, else from the prompts that are chats."""
    column, own = columns["prompt"], columns.get("messages")
    cells, chats = column.chats(batch[column.name], first_row)
    prompts = column.texts(cells, first_row, required=_required("prompt", column))
    if own is not None:
        chats = pc.coalesce(own.messages(batch[own.name], first_row, prompts), chats)
    elif chats.null_count < len(chats):
        rows.columns["messages"] = column
    rows.add_texts("prompt", prompts.take(pa.array(kept)))
    rows.add_texts("messages", chats.take(pa.array(kept)))


def _add(rows: Rows, role: str, cells: Cells, first_row: int, kept: Ints, score_scale: float) -> None:
    column = rows.columns[role]
    if role in NUMBERS:
        if role == "accuracy":
            values = column.numbers(cells, first_row, at_most=1.0, divide_by=score_scale, fix=SCALE)
        else:
            values = column.numbers(cells, first_row)
        rows.add_numbers(role, values[kept])
        return
    if role == "references":
        texts = column.references(cells, first_row)
    elif role in REMARKS:
        texts = column.remarks(cells, first_row)
    else:
        texts = column.texts(cells, first_row, required=_required(role, column))
    texts = texts if len(kept) == len(texts) else texts.take(pa.array(kept))
    if role == "response":
        rows.responses.append(texts)
    else:
        rows.add_texts(role, texts)


def _required(role: str, column: Column) -> str:
    if role == "context":
        return _NO_CONTEXT
    return "" if role == "response" else f"fill it, or {column.flag} names another column"


def _find_columns(path: Path, found: Sequence[str], names: Mapping[str, str], context: str | None) -> dict[str, Column]:
    columns = {}
    for role, (flag, usual, is_needed) in ROLES.items():
        if role == "context" and context is not None:
            continue
        wanted = (names[role],) if role in names else usual
        here = next((name for name in wanted if name in found), None)
        if here is not None:
            columns[role] = Column(path, here, flag)
        elif is_needed or role in names:
            raise ValueError(f"{path}: {unknown_name('column', wanted[0], found, f'{flag} names it.')}")
    if context is None and "context" not in columns:
        raise ValueError(f"{path}: expected a column of contexts; --context-column names it, or {_NO_CONTEXT}.")
    taken = {column.name for column in columns.values()}
    own = {name: Column(path, name, "", _NOT_OURS) for name in _OWN if name in found and name not in taken}
    return columns | own
