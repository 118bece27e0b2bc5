"""Small files that would be large in memory are refused, and others are read as if there were no limit."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mutations import damaged, fuzz, read_or_refuse
from tables import random_table

from llm_routing_env.importing.files import find_files
from llm_routing_env.importing.parquet_rows import ParquetRows
from llm_routing_env.tables import arrow, batches, decoded
from llm_routing_env.tables.decoded import DecodedSize
from llm_routing_env.tables.pages import PageError, check_histograms
from llm_routing_env.tables.table import OutcomeTable

LONG = "A" * 1_000_000  # 6 GB when each row has one of its own, 3 GB when each query has
TABLE = random_table(per_context=1000, n_llms=2, n_repeats=1)


def coded(codes: Any, texts: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(texts))


def bomb(path: Path, column: str, text: str = LONG, **options: Any) -> Path:
    """Write a table, one column of which says a long text in every row."""
    rows = TABLE._all_rows()
    same = coded(np.zeros(len(rows)), [text])
    if column == "references":
        same = pa.ListArray.from_arrays(pa.array(np.arange(len(rows) + 1), pa.int32()), same)
    rows = rows.set_column(rows.column_names.index(column), column, same)
    settings = {"compression": "zstd", "store_schema": False, "dictionary_pagesize_limit": 2**30}
    pq.write_table(rows, path, **settings | options)
    assert path.stat().st_size < 400_000
    return path


def read_batches(path: Path, columns: list[str]) -> list[Any]:
    """Return what an import reads of some columns."""
    return list(ParquetRows(find_files([path])[0]).batches(columns))


def unclear(*paths: str) -> Any:
    """Return what stands in for `DecodedSize.unclear`: it calls these columns unclear wherever they are asked for."""
    return lambda _, columns, at_most=None, n_rows=None: [path for path in paths if path.partition(".")[0] in columns]


USES = {
    "response": "table.text('response', 0, 0, 0)",
    "error": "",
    "prompt": "list(table.queries)",
    "references": "list(table.queries)",
}
VERIFY = "from llm_routing_env.evaluation.verification import verify_table; verify_table(table)"
PROGRAM = """
import sys, pathlib
from llm_routing_env.tables import decoded
from llm_routing_env.tables.table import OutcomeTable
decoded.ALWAYS_BYTES = int(sys.argv[2])
try:
    table = OutcomeTable.read(sys.argv[1])
    {}
except ValueError as error:
    print(error)
print(int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024)
"""


def peak(program: str, path: Path, allowed_bytes: int = 2**30) -> tuple[str, int]:
    """Return what a process said that used a table, and the most memory it took, in MB."""
    command = [sys.executable, "-c", PROGRAM.format(program), path, str(allowed_bytes)]
    message, peak_mb = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return message, int(peak_mb)


@pytest.mark.parametrize("column", USES)
@pytest.mark.parametrize("then", ["", "table.with_metadata({})", VERIFY])
def test_a_file_of_a_few_kilobytes_does_not_take_gigabytes(tmp_path: Path, column: str, then: str):
    message, peak_mb = peak(then or USES[column], bomb(tmp_path / "t.parquet", column))
    assert f"column {column!r} would take" in message
    assert "a file of its size may take 1073741824." in message
    assert peak_mb < 250


@pytest.mark.parametrize("then", [USES["response"], VERIFY])
def test_texts_that_begin_with_the_one_before_are_read_a_few_at_a_time(tmp_path: Path, then: str):
    options = {"use_dictionary": False, "column_encoding": {"response": "DELTA_BYTE_ARRAY"}}
    path = bomb(tmp_path / "t.parquet", "response", "A" * 70_000, **options)  # 420 MB in all
    message, peak_mb = peak(then, path, 2**26)
    assert re.search(r"would take 1\d{8} bytes .* may take 1\d{8}\.$", message)  # stopped soon after its limit
    assert peak_mb < 600


def test_verifying_long_texts_holds_few_of_them(tmp_path: Path):
    path = bomb(tmp_path / "t.parquet", "response", "A" * 170_000)  # 1.02 GB, less than 1 GiB
    message, peak_mb = peak(VERIFY + "; print('done')", path)
    assert message == "done"
    assert peak_mb < 600


@pytest.mark.parametrize("column", ["prompt", "references"])
def test_batches_of_texts_that_every_row_says_again_hold_few_of_them(tmp_path: Path, column: str):
    then = "print(sum(len(rows) for rows in table.batches(table.columns)))"
    message, peak_mb = peak(then, bomb(tmp_path / "t.parquet", column))
    assert message == str(len(TABLE._all_rows()))
    assert peak_mb < 600


def test_pages_that_become_large_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoded, "ALWAYS_BYTES", 2**24)
    monkeypatch.setattr(decoded, "MOST_TIMES_FILE", 1)
    path = bomb(tmp_path / "t.parquet", "response", "A" * 100_000, use_dictionary=False)
    with pytest.raises(ValueError, match=r"it would take \d+ bytes of memory or more; a file of its size may take"):
        OutcomeTable.read(path)


def test_lists_of_texts_that_begin_with_the_one_before_are_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(decoded, "ALWAYS_BYTES", 2**24)
    monkeypatch.setattr(decoded, "MOST_TIMES_FILE", 1)
    lists = pa.array([["A" * 10_000] * 2000])  # 20 MB in one row
    options = {"use_dictionary": False, "column_encoding": {"references.list.element": "DELTA_BYTE_ARRAY"}}
    pq.write_table(pa.table({"references": lists}), tmp_path / "t.parquet", **options)
    with pytest.raises(ValueError, match=r"it would take \d+ bytes of memory or more; a file of its size may take"):
        read_batches(tmp_path / "t.parquet", ["references"])


TEXTS = ("query_id", "context", "split", "prompt", "llm", "response", "error")


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
@pytest.mark.parametrize("nested", [(), ("references.list.element",)])
def test_what_arrow_cannot_read_as_codes_is_read_spelled_out(tmp_path: Path, encoding: str, nested: tuple[str, ...]):
    rows, path = random_table(per_context=4000, n_llms=2, n_repeats=1)._all_rows(), tmp_path / "t.parquet"
    options = {"use_dictionary": False, "column_encoding": dict.fromkeys((*TEXTS, *nested), encoding)}
    pq.write_table(rows, path, store_schema=False, data_page_size=10_000, **options)
    table = OutcomeTable.read(path)
    assert table._all_rows().to_pylist() == rows.to_pylist()
    parts = list(table.batches(rows.column_names))
    assert pa.concat_tables(parts).to_pylist() == rows.to_pylist()
    imported = [pa.table(dict(batch)) for batch in read_batches(path, rows.column_names)]
    assert pa.concat_tables(imported).to_pylist() == rows.to_pylist()


@pytest.mark.parametrize("column", ["response", "references"])
def test_batches_are_bounded_by_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str):
    monkeypatch.setattr(batches, "BATCH_BYTES", 250_000)
    path = bomb(tmp_path / "t.parquet", column, "A" * 100_000)
    found = OutcomeTable.read(path).batches(["query_id", column])
    first, second = next(found), next(found)
    assert (len(first), len(second)) == (2, 2)  # of 100,000 bytes each, and an id
    text = "A" * 100_000
    assert first[column].to_pylist() == [text if column == "response" else [text]] * 2
    assert first["query_id"].to_pylist() == TABLE._all_rows()["query_id"][:2].to_pylist()


def test_numbers_count_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(decoded, "ALWAYS_BYTES", 2**20)
    monkeypatch.setattr(decoded, "MOST_TIMES_FILE", 1)
    pq.write_table(pa.table({f"measure_{number}": np.zeros(10_000) for number in range(20)}), tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"it would take 16\d{5} bytes"):  # 8 for each
        OutcomeTable.read(tmp_path / "t.parquet")


@pytest.mark.parametrize("column", ["response", "references"])
def test_an_import_refuses_them_too(tmp_path: Path, column: str):
    path = bomb(tmp_path / "t.parquet", column)
    with pytest.raises(ValueError, match=r"t.parquet: its texts would take 6\d{9} bytes"):
        read_batches(path, ["query_id", column])


def test_an_import_reads_texts_that_fit_whatever_their_pages_leave_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rows = pa.table(
        {
            "id": [f"q{row}" for row in range(40_000)],
            "text": coded(np.arange(40_000) % 3, ["short", "", "x" * 500]),
            "words": pa.array([["a", "b"], [], None, [None]] * 10_000),
            "number": np.arange(40_000),
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(rows, path, row_group_size=25_000)
    expected = pq.read_table(path)
    monkeypatch.setattr(DecodedSize, "unclear", unclear("id", "text", "words.list.element"))
    parts = read_batches(path, rows.column_names)
    assert len(parts) == 3
    for name in rows.column_names:
        found = pa.chunked_array([batch[name] for batch in parts])
        assert found.to_pylist() == rows[name].to_pylist()
        assert found.type == (expected[name].type if name != "text" else pa.dictionary(pa.int32(), pa.string()))


@pytest.mark.parametrize("row_group_size", [100, 10**6])
def test_a_table_is_the_same_where_its_pages_leave_open_how_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row_group_size: int
):
    path = tmp_path / "t.parquet"
    rows = random_table(per_context=40)._all_rows()
    pq.write_table(rows, path, row_group_size=row_group_size)
    expected = OutcomeTable.read(path)
    texts = {name: expected.texts(name).tolist() for name in ("response", "error")}
    queries, everything = list(expected.queries), expected._all_rows()
    monkeypatch.setattr(DecodedSize, "unclear", unclear(*texts))
    table = OutcomeTable.read(path)
    assert {name: table.texts(name).tolist() for name in texts} == texts
    assert list(table.queries) == queries
    assert table._all_rows().equals(everything)
    assert (table.failed == expected.failed).all()


def test_a_footer_at_whose_sight_pyarrow_ends_the_process_is_refused(tmp_path: Path):
    """The histogram of definition levels, one number for each of 0 and 1, made to belong to a required column."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1, None]}), path)
    required = tmp_path / "required.parquet"
    schema = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    pq.write_table(pa.table({"a": [1, 2]}, schema), required)
    columns = [pq.read_metadata(required).schema.column(0)]
    with open(path, "rb") as file, pytest.raises(PageError, match="the footer's statistics of 'a' are not of such"):
        check_histograms(file, columns)


def test_a_limit_grows_with_the_file_up_to_what_a_table_may_declare(tmp_path: Path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    footer, whole = pq.read_metadata(path), path.read_bytes()
    end = whole[-footer.serialized_size - 8 :]
    assert DecodedSize(path, footer, "t").allowed_bytes == 2**30
    for size, allowed in ((2_000_000, 2_000_000_000), (10**9, 2**35)):
        with open(path, "r+b") as file:
            file.truncate(size)  # what lies between the pages and the footer is not looked at
            file.seek(size - len(end))
            file.write(end)
        assert DecodedSize(path, footer, "t").allowed_bytes == allowed


@pytest.mark.parametrize(
    ("values", "lengths"),
    [
        (pa.array(["a", "", None, "éé"]), [1, 0, 0, 4]),
        (pa.array(["a", "bcd"], pa.large_string())[1:], [3]),
        (pa.array(["aa", "b", None, "aa"]).dictionary_encode(), [2, 1, 0, 2]),
        (pa.array(["aa", "b", "aa"]).dictionary_encode()[1:], [1, 2]),
        (pa.array([["a", "bb"], [], None, ["ccc", None]]), [3, 0, 0, 3]),
        (pa.array([["a"], ["bb", "c"]])[1:], [3]),
        (pa.array([{"x": "a", "y": ["bb"]}, None]), [3, 0]),
        (pa.array([1, 2]), [0, 0]),
        (pa.nulls(2), [0, 0]),
    ],
    ids=["texts", "large", "codes", "some_codes", "lists", "some_lists", "structs", "numbers", "nulls"],
)
def test_the_length_of_texts_is_that_of_their_bytes(values: pa.Array, lengths: list[int]):
    assert arrow.text_lengths(values).tolist() == lengths


def test_damaged_tables_are_read_or_refused_where_codes_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "t.parquet"
    pq.write_table(random_table(per_context=2, n_llms=2, n_repeats=1)._all_rows(), path, compression="none")
    whole = path.read_bytes()
    monkeypatch.setattr(DecodedSize, "unclear", unclear("response", "error"))

    def check(seed: int) -> None:
        path.write_bytes(damaged(whole, seed))
        read_or_refuse(lambda: OutcomeTable.read(path).texts("response"))

    fuzz(check)
