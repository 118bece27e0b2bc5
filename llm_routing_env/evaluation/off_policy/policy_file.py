"""A policy as a file: a row per query, its id and the probability of each LLM, in CSV or parquet."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llm_routing_env.agents.parts.names import unknown_name
from llm_routing_env.evaluation.off_policy.logged import Floats

QUERY = "query_id"


def read_probabilities(path: Path, llm_names: Sequence[str]) -> Callable[[Sequence[str]], Floats]:
    """Return what gives the probabilities of queries, shape (queries, LLMs); LLMs without a column have none.

    Raises:
        ValueError: If the file is no such table, or a row's probabilities are none.
    """
    table = _read(path)
    if QUERY not in table.column_names:
        raise ValueError(
            f"{path} must have a column {QUERY!r} and one per LLM; it has {', '.join(table.column_names)}."
        )
    if unknown := [name for name in table.column_names if name not in (QUERY, *llm_names)]:
        raise unknown_name(f"column of {path}", unknown[0], (QUERY, *llm_names))
    if len(set(table.column_names)) < len(table.column_names):
        twice = next(name for name in table.column_names if table.column_names.count(name) > 1)
        raise ValueError(f"{path} has more than one column {twice!r}: expected one per LLM.")
    chances = np.zeros((len(table), len(llm_names)))
    try:
        for llm, name in enumerate(llm_names):
            if name in table.column_names:
                chances[:, llm] = table[name].cast(pa.float64()).to_numpy()
    except pa.ArrowException as error:
        raise ValueError(f"{path}: the column {name!r} must hold numbers ({error}).") from error
    ids = [str(value) for value in table[QUERY].to_pylist()]
    _check(path, ids, chances)
    places = {query: row for row, query in enumerate(ids)}

    def of(query_ids: Sequence[str]) -> Floats:
        if lacking := [query for query in query_ids if query not in places]:
            raise ValueError(f"{path} has no row for the query {lacking[0]!r}, which it is asked about.")
        return np.asarray(chances[[places[query] for query in query_ids]])

    return of


def _read(path: Path) -> pa.Table:
    try:
        if path.suffix == ".parquet":
            return pq.read_table(path)
        from pyarrow import csv

        return csv.read_csv(path, convert_options=csv.ConvertOptions(column_types={QUERY: pa.string()}))
    except pa.ArrowException as error:
        raise ValueError(f"{path} cannot be read as {path.suffix.removeprefix('.')}: {error}.") from error


def _check(path: Path, ids: Sequence[str], chances: Floats) -> None:
    """Refuse rows that are no distributions, and queries that come twice."""
    is_fine = np.isfinite(chances).all(axis=1) & (chances >= 0).all(axis=1)
    is_fine &= np.isclose(chances.sum(axis=1), 1.0, rtol=0, atol=1e-6)
    if not is_fine.all():
        row = int(np.argmin(is_fine))
        raise ValueError(
            f"{path}: the probabilities of {ids[row]!r} must be numbers of 0 or more that sum to 1, "
            f"got {chances[row].tolist()}."
        )
    if len(set(ids)) < len(ids):
        twice = next(query for query in ids if ids.count(query) > 1)
        raise ValueError(f"{path}: the query {twice!r} must have one row, got {ids.count(twice)}.")
