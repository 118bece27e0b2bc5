"""Reads files of any preset into rows."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.importing.columns import NO_REFERENCES, TEXT, Column, constant, mapped
from llm_routing_env.importing.naming import arms_of, find_columns
from llm_routing_env.importing.numbers import Floats, read_numbers, read_scores
from llm_routing_env.importing.preset import FLAGS, Preset
from llm_routing_env.importing.rows import ABSENT, NUMBERS, Rows, Spool
from llm_routing_env.importing.scores import AS_IT_IS, ScoreScale
from llm_routing_env.importing.sources import Batch, Ints, Source, as_list
from llm_routing_env.importing.units import factor_of

_NO_CONTEXT = "--context NAME puts every query into one context"
_LISTED = 100  # values of a column, for messages
_NOT_OURS = "rename the column if it means something else"
Score = Callable[[Sequence[str], Sequence[tuple[str, ...]]], Floats]


@dataclass(frozen=True)
class Reading:
    """How cells are understood.

    Attributes:
        names: Columns by role, where they are not what the preset says; "-" for none.
        scale: What scores are worth.
        units: Of "latency_s" and "cost_usd", where said.
        where: Only rows whose column is this text are read, by column.
        excluded: LLMs to leave out.
        keep: "first" or "last" of several rows of a query, LLM and repeat; None: there may be one only.
        llms: The LLMs that have columns of their own; (): found by their names.
        has_ids_per_context: Whether two contexts may have the same ids.
        missing_cost_usd: What a call costs whose cost is empty; None: its cost is not known.
        score: Scores responses against references, where nobody did.
        on_progress: Is told how much is read, from 0 to 1.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    scale: ScoreScale = AS_IT_IS
    units: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    excluded: Sequence[str] = ()
    keep: str | None = None
    llms: Sequence[str] = ()
    has_ids_per_context: bool = False
    missing_cost_usd: float | None = None
    score: Score | None = None
    on_progress: Callable[[float], object] = lambda share: None


def read_rows(source: Source, preset: Preset, reading: Reading) -> Rows:
    """Read files.

    Raises:
        ValueError: One line naming file, row, column, what was expected and found, and the flag that helps.
    """
    return _Reader(source, preset, reading).read()


class _Reader:
    """One reading of the files of a source."""

    def __init__(self, source: Source, preset: Preset, reading: Reading) -> None:
        self._source, self._preset, self._reading = source, preset, reading
        path, columns, told = source.files[0].path, source.columns(), source.about(source.files[0].path)
        not_needed = {*told, *(["accuracy"] if reading.score else []), *(["context"] if preset.context_of_id else [])}
        self._names = find_columns(
            path, columns, preset, reading.names, not_needed, [join.name for join in source.joins]
        )
        patterns = {role: ", ".join(names) for role, names in self._names.items()}
        self._arms = arms_of(path, columns, self._names, reading.llms, reading.excluded)
        own = next(iter(self._arms.values()), {})
        shown = {role: name for role, name in patterns.items() if role in self._names or role in own}
        shown |= {role: "the file's path" for role in told if role not in shown}
        units = {role: reading.units.get(role, preset.units.get(role)) for role in ("latency_s", "cost_usd")}
        self._factors = {role: factor_of(path, role, unit, shown.get(role, "")) for role, unit in units.items()}
        used = [
            name for names in (*self._names.values(), *(own.values() for own in self._arms.values())) for name in names
        ]
        used += [*reading.where, *(key for join in source.joins for key in join.keys)]
        not_read = tuple(name for name in columns if not _covers(used, name))
        self._rows = Rows(path, shown, not_read, reading.keep)
        self._seen: dict[str, set[str]] = {column: set() for column in reading.where}
        self._left_out = set[str]()

    def read(self) -> Rows:
        for batch in self._batches():
            columns = {role: self._column(batch, role) for role in batch.cells}
            kept = self._kept(batch, columns)
            self._rows.begin(batch, columns, kept)
            _Adding(self._rows, batch, columns, kept, self._preset, self._reading, self._factors).add()
            self._reading.on_progress(batch.share_read)
        self._check_flags()
        _fill(self._rows, self._reading.missing_cost_usd)
        return self._rows

    def _batches(self) -> Iterator[Batch]:
        """Yield batches of one row per query and LLM: of files with a column per LLM, one LLM's after another's."""
        own: dict[str, tuple[str, ...]] = {
            f"{role} {llm}": (name,) for llm, names in self._arms.items() for role, name in names.items()
        }
        where: dict[str, tuple[str, ...]] = {f"where {column}": (column,) for column in self._reading.where}
        sure = {*self._reading.names, *(f"where {column}" for column, value in self._reading.where.items() if value)}
        for batch in self._source.batches(self._names | own | where, sure):
            if not self._arms:
                yield batch
            shared = {role: cells for role, cells in batch.cells.items() if role not in own}
            for llm, names in self._arms.items():
                cells = {role: batch.cells[f"{role} {llm}"] for role in names}
                named = {"llm": constant(llm, len(batch.rows))}
                yield replace(batch, names={**batch.names, **names}, cells=shared | cells | named)

    def _column(self, batch: Batch, role: str) -> Column:
        flag = FLAGS.get(role, "--where")
        llm = f"--exclude-llm {self._llm_of(batch)!r} leaves the LLM out" if role in self._own_roles() else ""
        return Column(batch.path, batch.names.get(role, "(of the file)"), flag, llm or ("" if flag else _NOT_OURS))

    def _own_roles(self) -> Collection[str]:
        return next(iter(self._arms.values()), {}).keys()

    def _llm_of(self, batch: Batch) -> str:
        return str(as_list(batch.cells["llm"])[0])

    def _kept(self, batch: Batch, columns: Mapping[str, Column]) -> Ints:
        """Return a batch's rows that are not left out."""
        names = columns["llm"].texts(batch.cells["llm"], batch.rows, required=_required("llm", columns["llm"]))
        is_out = pc.is_in(names, pa.array(self._reading.excluded, TEXT)).to_numpy(zero_copy_only=False)
        if is_out.any():
            self._left_out |= set(pc.unique(names.filter(pa.array(is_out))).to_pylist())
        for column, wanted in self._reading.where.items():
            role = f"where {column}"
            texts = columns[role].values(batch.cells[role])
            self._seen[column] |= set(pc.unique(texts).to_pylist()[:_LISTED])
            is_out = is_out | ~pc.equal(texts, wanted).to_numpy(zero_copy_only=False)
        self._rows.n_left_out += int(is_out.sum())
        return np.flatnonzero(~is_out)

    def _check_flags(self) -> None:
        """Refuse flags that name what is in no row."""
        excluded = () if self._arms else self._reading.excluded
        for llm in excluded:
            if llm not in self._left_out:
                known = (*self._rows.texts["llm"].texts, *self._left_out) if self._rows.n_rows else self._left_out
                raise unknown_name("LLM for --exclude-llm", llm, known)
        for column, wanted in self._reading.where.items():
            if wanted not in self._seen[column]:
                raise unknown_name(f"value for --where {column}", wanted, sorted(map(str, self._seen[column])))
        if not self._rows.n_rows:
            left = " but of LLMs to leave out, or not of --where" if self._left_out or self._reading.where else ""
            raise ValueError(f"{self._rows.path}: expected rows, found none{left}.")


@dataclass(frozen=True)
class _Adding:
    """One batch on its way into rows."""

    rows: Rows
    batch: Batch
    columns: Mapping[str, Column]
    kept: Ints
    preset: Preset
    reading: Reading
    factors: Mapping[str, float]

    def add(self) -> None:
        self._add_prompts()
        self._add_errors()
        if self.preset.context_of_id is not None and "context" not in self.batch.cells:
            self.rows.add_texts("context", mapped(self.preset.context_of_id, self._texts("query_id")))
        for role in self.batch.cells.keys() & {
            "query_id",
            "llm",
            "context",
            "split",
            "repeat",
            "references",
            "finish_reason",
        }:
            self.rows.add_texts(role, self._texts(role))
        if "response" in self.batch.cells or self.reading.score:
            responses = self._texts("response")
            self.rows.responses = self.rows.responses or Spool()
            self.rows.responses.add(responses)
            if self.reading.score:
                self._add_scores(responses)
        for role in NUMBERS:
            if role in self.batch.cells and not (role == "accuracy" and self.reading.score):
                self.rows.add_numbers(role, self._numbers(role)[self.kept])

    def _texts(self, role: str) -> pa.Array:
        """Return the kept cells of a column of texts."""
        cells, column, where = self.batch.cells.get(role), self.columns.get(role), self.batch.rows
        if cells is None or column is None:
            return pa.nulls(len(self.kept), TEXT)
        if role == "references":
            texts = column.references(cells, where)
        elif role == "finish_reason":
            texts = column.remarks(cells, where)
        else:
            texts = column.texts(cells, where, required=_required(role, column))
        if role == "response" and self.preset.clean is not None:
            texts = mapped(self.preset.clean, texts)
        if role == "query_id" and self.reading.has_ids_per_context:
            contexts = self.columns["context"].texts(self.batch.cells["context"], where)
            texts = pc.binary_join_element_wise(contexts, texts, pa.scalar("/", TEXT))
        return texts if len(self.kept) == len(texts) else texts.take(pa.array(self.kept))

    def _add_prompts(self) -> None:
        """Append prompts, and chats: from a column of their own, else from the prompts that are chats."""
        column, own, where = self.columns["prompt"], self.columns.get("messages"), self.batch.rows
        cells, chats = column.chats(self.batch.cells["prompt"], where)
        prompts = column.texts(cells, where, required=_required("prompt", column))
        if own is not None:
            chats = pc.coalesce(own.messages(self.batch.cells["messages"], where, prompts), chats)
        elif chats.null_count < len(chats):
            self.rows.names = {**self.rows.names, "messages": column.name}
        if self.preset.clean is not None:
            prompts = mapped(self.preset.clean, prompts)
        self.rows.add_texts("prompt", prompts.take(pa.array(self.kept)))
        self.rows.add_texts("messages", chats.take(pa.array(self.kept)))

    def _add_errors(self) -> None:
        """Append why calls failed, as either column says."""
        said = [
            self.columns[role].errors(self.batch.cells[role], self.batch.rows, is_success=role == "success")
            for role in ("error", "success")
            if role in self.batch.cells
        ]
        if said:
            self.rows.add_texts("error", pc.coalesce(*said).take(pa.array(self.kept)))

    def _numbers(self, role: str) -> Floats:
        column, cells = self.columns[role], self.batch.cells[role]
        if role == "accuracy":
            return read_scores(column, cells, self.batch.rows, self.reading.scale)
        return read_numbers(column, cells, self.batch.rows, self.factors.get(role, 1.0))

    def _add_scores(self, responses: pa.Array) -> None:
        texts = pc.fill_null(self._texts("references"), NO_REFERENCES).to_pylist()
        answers = pc.fill_null(responses, "").to_pylist()
        assert self.reading.score is not None
        self.rows.add_numbers("accuracy", self.reading.score(answers, [tuple(json.loads(text)) for text in texts]))


def _fill(rows: Rows, missing_cost_usd: float | None) -> None:
    """Fill what is empty and known all the same: a failed call answers nothing, and is free unless a cost is said."""
    if "error" in rows.texts:
        failed = rows.texts["error"].codes != ABSENT
        for role in ("accuracy", "cost_usd", "latency_s"):
            values = rows.array(role)
            if values is not None:
                values[failed & np.isnan(values)] = 0.0
    if missing_cost_usd is not None:
        if "cost_usd" not in rows.numbers:
            rows.add_numbers("cost_usd", np.full(rows.n_rows, missing_cost_usd))
        cost = rows.numbers["cost_usd"].values
        cost[np.isnan(cost)] = missing_cost_usd


def _covers(used: Sequence[str], name: str) -> bool:
    """Return whether a column is read, or some of what lies in it, or what it lies in."""
    return any(each == name or each.startswith(f"{name}.") or name.startswith(f"{each}.") for each in used)


def _required(role: str, column: Column) -> str:
    if role in ("response", "repeat"):
        return ""
    return _NO_CONTEXT if role == "context" else f"fill it, or {column.flag} names another column"
