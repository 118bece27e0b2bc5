"""Reads files of any preset into rows."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from llm_routing_env.importing.adding import Adding
from llm_routing_env.importing.columns import Column, constant
from llm_routing_env.importing.filters import Filter, where_role
from llm_routing_env.importing.naming import arms_of, find_columns
from llm_routing_env.importing.nested import STAR
from llm_routing_env.importing.preset import FLAGS, NEEDED, Preset, Reading, Score
from llm_routing_env.importing.rows import ABSENT, Rows, spread_references
from llm_routing_env.importing.sources import Batch, Source, as_list
from llm_routing_env.importing.units import factor_of

_SCORED = 4096  # responses at a time
_NOT_OURS = "rename the column if it means something else"


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
        self._joins = {join.name: join for join in source.joins}
        path, columns, told = source.files[0].path, source.columns(), source.about(source.files[0].path)
        not_needed = {*told, *(["accuracy"] if reading.score else []), *(["context"] if preset.context_of_id else [])}
        self._names = find_columns(path, columns, preset, reading.names, not_needed, self._joins)
        patterns = {role: ", ".join(names) for role, names in self._names.items()}
        self._arms = arms_of(path, columns, self._names, reading.llms, reading.excluded)
        own = next(iter(self._arms.values()), {})
        shown = {role: name for role, name in patterns.items() if role in self._names or role in own}
        shown |= {role: "what is said of the whole file" for role in told if role not in shown}
        units = {role: reading.units.get(role, preset.units.get(role)) for role in ("latency_s", "cost_usd")}
        self._factors = {role: factor_of(path, role, unit, shown.get(role, "")) for role, unit in units.items()}
        used = [
            name for names in (*self._names.values(), *(own.values() for own in self._arms.values())) for name in names
        ]
        used += [*reading.where, *preset.same, *(key for join in source.joins for key in join.keys)]
        not_read = tuple(name for name in columns if not _covers(used, name))
        self._rows = Rows(path, shown, not_read, reading.keep)
        # Of files with a column per LLM, those to leave out are not read at all.
        self._filter = Filter(() if self._arms else reading.excluded, reading.where, preset.same)

    def read(self) -> Rows:
        for batch in self._batches():
            self._check_told(batch)
            columns = {role: self._column(batch, role) for role in batch.cells}
            kept = self._filter.kept(batch, columns)
            self._rows.n_left_out += len(batch.rows) - len(kept.rows)
            if len(kept.rows):
                self._rows.begin(kept, columns)
                Adding(self._rows, kept, columns, self._preset, self._reading, self._factors).add()
            self._reading.on_progress(batch.share_read)
        self._filter.check(self._rows)
        spread_references(self._rows)
        if self._reading.score is not None:
            _score(self._rows, self._reading.score)
        _fill(self._rows, self._reading.missing_cost_usd)
        return self._rows

    def _check_told(self, batch: Batch) -> None:
        """Check that a file says of all its rows what the first one does, where no column says it."""
        derived = {"accuracy"} if self._reading.score else set()
        derived |= {"context"} if self._preset.context_of_id else set()
        for role in NEEDED:
            if role not in batch.cells and role not in derived:
                raise ValueError(f"{batch.path}: nothing says its {role}; {FLAGS[role]} names a column.")

    def _batches(self) -> Iterator[Batch]:
        """Yield batches of one row per query and LLM: of files with a column per LLM, one LLM's after another's."""
        own: dict[str, tuple[str, ...]] = {
            f"{role} {llm}": (name,) for llm, names in self._arms.items() for role, name in names.items()
        }
        where: dict[str, tuple[str, ...]] = {
            where_role(column): (column,) for column in (*self._reading.where, *self._preset.same)
        }
        sure = {*self._reading.names, *(where_role(column) for column, value in self._reading.where.items() if value)}
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
        name = batch.names.get(role, "(of the file)")
        fix = "" if flag else _NOT_OURS
        if role in self._own_roles():
            fix = f"--exclude-llm {self._llm_of(batch)!r} leaves the LLM out"
        elif join := self._joins.get(name.partition(".")[0]):
            fix = f"{join.path_for(batch.path)} needs a row with the same {' and '.join(join.keys)}"
        return Column(batch.path, name, flag, fix)

    def _own_roles(self) -> Collection[str]:
        return next(iter(self._arms.values()), {}).keys()

    def _llm_of(self, batch: Batch) -> str:
        return str(as_list(batch.cells["llm"])[0])


def _score(rows: Rows, score: Score) -> None:
    """Score the responses against the references of their queries."""
    place = 0
    for responses in rows.responses.batches(_SCORED) if rows.responses else ():
        answers = pc.fill_null(responses, "").to_pylist()
        codes = rows.texts["references"].codes[place : place + len(answers)] if "references" in rows.texts else ()
        known = {code: tuple(json.loads(rows.texts["references"].texts[code])) for code in set(codes) - {ABSENT}}
        references = [known.get(code, ()) for code in codes] or [()] * len(answers)
        rows.add_numbers("accuracy", score(answers, references))
        place += len(answers)


def _fill(rows: Rows, missing_cost_usd: float | None) -> None:
    """Fill what is empty and known all the same: a failed call answers nothing, and is free unless a cost is said."""
    if missing_cost_usd is not None:
        if "cost_usd" not in rows.numbers:
            rows.add_numbers("cost_usd", np.full(rows.n_rows, missing_cost_usd))
        cost = rows.numbers["cost_usd"].values
        cost[np.isnan(cost)] = missing_cost_usd
    if "error" in rows.texts:
        failed = rows.texts["error"].codes != ABSENT
        for role in ("cost_usd", "latency_s"):
            values = rows.array(role)
            if values is not None:
                values[failed & np.isnan(values)] = 0.0
        if "accuracy" in rows.numbers:
            rows.numbers["accuracy"].values[failed] = 0.0


def _covers(used: Sequence[str], name: str) -> bool:
    """Return whether a column is read, or some of what lies in it, or what it lies in."""
    plain = [each.partition(f".{STAR}")[0] for each in used]  # a star is any of what lies there
    return any(each == name or each.startswith(f"{name}.") or name.startswith(f"{each}.") for each in plain)
