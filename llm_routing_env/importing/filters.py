"""Which rows of a file are meant."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.importing.adding import required
from llm_routing_env.importing.columns import TEXT, Column
from llm_routing_env.importing.rows import Rows
from llm_routing_env.importing.sources import Batch

_LISTED = 100  # values of a column, for messages


class Filter:
    """Leaves out rows of some LLMs, and those in which a column is not a certain text."""

    def __init__(self, excluded: Sequence[str], where: Mapping[str, str], same: Sequence[str]) -> None:
        """Take the LLMs to leave out, the texts that columns must be, and columns that should say the same."""
        self._excluded, self._where, self._same = excluded, where, {column: set[str]() for column in same}
        self._left_out = set[str]()
        self._seen: dict[str, set[str]] = {column: set() for column in where}
        self._matched = set[str]()

    def kept(self, batch: Batch, columns: Mapping[str, Column]) -> Batch:
        """Return the batch without the rows to leave out, whose other cells nobody looks at."""
        for column, wanted in self._where.items():
            texts = columns[where_role(column)].values(batch.cells[where_role(column)])
            is_it = pc.equal(texts, wanted).to_numpy(zero_copy_only=False)
            if is_it.any():
                self._matched.add(column)
            if len(self._seen[column]) < _LISTED:
                self._seen[column] |= set(pc.unique(texts).to_pylist()[:_LISTED])
            batch = batch.taken(np.flatnonzero(is_it))
        if self._excluded:
            batch = self._without_excluded(batch, columns)
        for column, seen in self._same.items():
            seen |= set(pc.unique(columns[where_role(column)].values(batch.cells[where_role(column)])).to_pylist())
        return batch

    def _without_excluded(self, batch: Batch, columns: Mapping[str, Column]) -> Batch:
        llm = columns["llm"]
        names = llm.texts(batch.cells["llm"], batch.rows, required=required("llm", llm))
        is_out = pc.is_in(names, pa.array(self._excluded, TEXT)).to_numpy(zero_copy_only=False)
        self._left_out |= set(pc.unique(names.filter(pa.array(is_out))).to_pylist())
        return batch.taken(np.flatnonzero(~is_out))

    def check(self, rows: Rows) -> None:
        """Check that what flags name was somewhere, and that rows are left; remark on what should be the same.

        Raises:
            ValueError: Names the flag, and what there was instead.
        """
        for llm in self._excluded:
            if llm not in self._left_out:
                kept = rows.texts["llm"].texts if rows.n_rows else []
                raise unknown_name("LLM for --exclude-llm", llm, [*kept, *sorted(self._left_out)])
        for column in self._where.keys() - self._matched:
            raise unknown_name(f"value for --where {column}", self._where[column], sorted(self._seen[column]))
        if not rows.n_rows:
            left = " but of LLMs to leave out, or not of --where" if self._excluded or self._where else ""
            raise ValueError(f"{rows.path}: expected rows, found none{left}.")
        for column, seen in self._same.items():
            if len(seen) > 1:
                shown = ", ".join(sorted(seen)[:4])
                rows.remarks.append(f"Scores are on several scales: {column} is {shown}. Compare no LLMs across them.")


def where_role(column: str) -> str:
    """Return the role of a column that is only compared."""
    return f"where {column}"
