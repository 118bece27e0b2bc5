"""Outcome tables whose bytes are damaged, or whose columns or metadata are odd."""

import json
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mutations import damaged, fuzz, odd, read_or_refuse
from tables import random_table

from llm_routing_env.evaluation.verification import verify_table
from llm_routing_env.tables.table import OutcomeTable

N_ROWS = 12
METADATA = {"llms": ["llm-0", "llm-1"], "pool": {"name": "nano"}, "notes": ["a remark"], "latency": "simulated"}
METADATA |= {"scorer": "exact_match", "cost_scale": 1e-5}
PRICES = {"input_price_usd_per_mtok": 1, "output_price_usd_per_mtok": 2, "hardware_usd_per_hour": 0}
METADATA |= {"prices": {"llm-0": PRICES, "llm-1": PRICES}}
METADATA["pool"] |= {"llm": [{"name": "llm-1", "max_tokens": 3, "cached_price_usd_per_mtok": 1} | PRICES]}
NAMES = ("accuracy_\x1b", "measure_a", "ttft_s", "messages", "finish_reason", "cached_tokens")
TYPES = (
    *(pa.null(), pa.bool_(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.string(), pa.large_string()),
    *(pa.string_view(), pa.binary(), pa.date32(), pa.timestamp("us"), pa.decimal128(9, 2), pa.list_(pa.int64())),
    *(pa.list_(pa.string()), pa.large_list(pa.string()), pa.struct({"a": pa.int64()})),
    *(pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.int64())),
)
CELLS = (None, 0, 1, -1, 2**40, 0.5, float("nan"), float("inf"), "", "train", "\x1b[2J", "a" * 99, ["a"], [None], {})


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    table = random_table(per_context=2, n_llms=2, n_repeats=1)
    return table._all_rows().replace_schema_metadata({"pickllm": json.dumps(METADATA)})


def read(path):
    """Read a table and everything that is made of it later."""
    table = OutcomeTable.read(path)
    shape = (table.n_queries, table.n_llms, table.n_repeats)
    assert table.cost_usd.shape == table.latency_s.shape == table.failed.shape == shape
    assert table.present.shape == shape[:2]
    assert np.isnan(table.accuracy(table.scorers[0])).any(axis=2).tolist() == (~table.present).tolist()
    assert len(table.queries) == len(table.query_contexts) == len(table.is_train) == table.n_queries
    assert all(isinstance(word, str) for query in table.queries for word in (query.prompt, *query.references))
    assert (table.integers("prompt_tokens") >= 0).all()
    assert table.texts("response").shape == table.texts("error").shape == shape
    assert all(isinstance(text, str) for text in (*table.notes, *table.contexts, *table.llm_names, table.scorer))
    assert np.isnan(table.cost_scale_usd) or table.cost_scale_usd >= 0
    assert verify_table(table)["rows"] == table.present.sum() * table.n_repeats
    return table


def written(rows: pa.Table, path) -> bool:
    """Write rows as a file, where parquet can hold them at all."""
    try:
        pq.write_table(rows, path, compression="none", write_statistics=False)
    except (pa.ArrowException, ValueError):
        return False
    return True


@pytest.mark.parametrize("compression", ["zstd", "none"])
def test_damaged_tables_are_read_or_refused(tmp_path, rows, compression):
    path = tmp_path / "t.parquet"
    pq.write_table(rows, path, compression=compression)
    whole = path.read_bytes()

    def check(seed):
        path.write_bytes(damaged(whole, seed))
        read_or_refuse(lambda: read(path))

    fuzz(check)


def column(rng: Random) -> pa.Array:
    """Return a column of any type, or of a few cells as they may be converted to some type."""
    kind = rng.choice(TYPES)
    try:
        return pa.array([rng.choice(CELLS) for _ in range(N_ROWS)], kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.nulls(N_ROWS, kind)


def oddly(rows: pa.Table, rng: Random) -> pa.Table:
    """Return the table with some columns replaced, dropped, doubled or changed in a cell, or rows left out."""
    for _ in range(rng.randint(1, 2)):
        index = rng.randrange(rows.num_columns)
        name = rows.column_names[index]
        change = rng.choice(("replace", "cell", "cell", "drop", "double", "rows", "empty"))
        if change == "replace":
            rows = rows.set_column(index, name, column(rng).slice(0, len(rows)))
        elif change == "cell" and len(rows):
            values = rows.column(index).to_pylist()
            values[rng.randrange(len(rows))] = rng.choice((*CELLS, *values))
            try:
                rows = rows.set_column(index, name, pa.array(values, rng.choice((None, rows.column(index).type))))
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                continue
        elif change == "drop":
            rows = rows.drop_columns(name) if rows.column_names.count(name) == 1 else rows
        elif change == "double":
            rows = rows.append_column(rng.choice((name, *NAMES)), rows.column(index))
        elif change == "rows":
            rows = rows.slice(rng.randrange(3), rng.randrange(len(rows) + 1))
        elif len(rows):
            rows = rows.set_column(index, name, pa.nulls(len(rows), rows.schema.field(index).type))
    return rows


def test_odd_columns_are_read_or_refused(tmp_path, rows):
    path = tmp_path / "t.parquet"

    def check(seed):
        if written(oddly(rows, Random(seed)), path):
            read_or_refuse(lambda: read(path))

    fuzz(check)


def test_odd_metadata_are_read_or_refused(tmp_path, rows):
    path = tmp_path / "t.parquet"

    def check(seed):
        said = json.dumps(odd(METADATA, seed)).encode()
        rng = Random(seed)
        said = said if rng.random() < 0.8 else damaged(said, seed)
        assert written(rows.replace_schema_metadata({"pickllm": said}), path)
        read_or_refuse(lambda: read(path))

    fuzz(check)
