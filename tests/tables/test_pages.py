"""Page headers, against files whose pages are known, and against damage."""

from io import BytesIO
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm_routing_env.tables.pages import Page, PageError, longest_text, read_pages

TEXTS = ["one", "two", "three"] * 1000


def pages_of(table: pa.Table, column: int = 0, **options: object) -> list[list[Page]]:
    """Return the pages of a column, row group by row group."""
    file = BytesIO()
    pq.write_table(table, file, **options)
    footer = pq.read_metadata(file)
    groups = [footer.row_group(group).column(column) for group in range(footer.num_row_groups)]
    return [list(read_pages(file, chunk)) for chunk in groups]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_dictionary_and_codes_into_it(version: str, compression: str):
    texts = ["a" * 1000, "b" * 900, "c" * 1100] * 1000
    ((dictionary, codes),) = pages_of(pa.table({"a": texts}), data_page_version=version, compression=compression)
    assert dictionary.n_bytes == 3 * 4 + 3000  # each text after its length in 4 bytes
    assert (dictionary.n_values, dictionary.encoding) == (0, None)
    assert (codes.n_values, codes.encoding) == (3000, 8)


@pytest.mark.parametrize(
    ("encoding", "number"), [("PLAIN", 0), ("DELTA_LENGTH_BYTE_ARRAY", 6), ("DELTA_BYTE_ARRAY", 7)]
)
@pytest.mark.parametrize("statistics", [True, False])
def test_texts_that_are_written_out(encoding: str, number: int, statistics: bool):
    options = {"use_dictionary": False, "column_encoding": {"a": encoding}, "write_statistics": statistics}
    ((page,),) = pages_of(pa.table({"a": TEXTS}), **options)
    assert (page.n_values, page.encoding) == (3000, number)
    if encoding == "PLAIN":
        levels = 4 + 3  # all present: one run of 3000, after its length
        assert page.n_bytes == levels + 3000 * 4 + 1000 * len("onetwothree")


def test_every_page_of_every_row_group_and_of_lists():
    table = pa.table({"a": [["x", "y"]] * 50_000})
    groups = pages_of(table, row_group_size=30_000, data_page_size=1000)
    assert [sum(page.n_values for page in pages) for pages in groups] == [60_000, 40_000]
    assert all(len(pages) > 2 for pages in groups)


def test_a_page_is_as_large_as_its_header_says_whatever_the_footer_says():
    file = BytesIO()
    pq.write_table(pa.table({"a": ["x" * 100_000] * 20}), file, use_dictionary=False, compression="zstd")
    said = pq.read_metadata(file).row_group(0).column(0)
    names = ("data_page_offset", "has_dictionary_page", "dictionary_page_offset", "total_compressed_size")
    lying = SimpleNamespace(num_values=1, **{name: getattr(said, name) for name in names})
    pages = list(read_pages(file, lying))
    assert pages[0].n_bytes >= 2_000_000
    assert pages[0].n_values == 20


def chunk(size: int, first: int = 0) -> SimpleNamespace:
    return SimpleNamespace(num_values=1, data_page_offset=first, has_dictionary_page=False, total_compressed_size=size)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not end"),
        (b"\x15\x00", "does not end"),
        (b"\x15" + b"\xff" * 20, "too long"),
        (b"\x15\x00\x15\x01\x15\x00\x00", "-1 where a number belongs"),
        (b"\x15\x00\x15\x02\x15\x02\x00", "does not describe it"),
        (b"\x1d" * 9, "of kind 13"),
        (b"\x1c" * 20, "nested too deeply"),
        (b"\x19" + b"\x19" * 20, "nested too deeply"),
        (b"\x18\xff\xff\xff\xff\x7f", "does not end"),
        (b"\x15\x00\x15\x02\x15\x02\x2c\x15\x02\x18\x01a\x00\x00", "None where a number belongs"),
    ],
    ids=["empty", "ends", "number", "negative", "not_described", "kind", "structs", "lists", "text", "no_encoding"],
)
def test_what_is_no_header_is_refused(content: bytes, message: str):
    with pytest.raises(PageError, match=message):
        list(read_pages(BytesIO(content), chunk(100)))


def test_a_page_before_the_file_is_refused():
    with pytest.raises(PageError, match="before the file"):
        list(read_pages(BytesIO(b""), chunk(100, first=-1)))


def test_pages_that_never_end_do_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("llm_routing_env.tables.pages._MOST_PAGES", 10)
    empty = b"\x15\x00\x15\x00\x15\x00\x2c\x15\x00\x15\x00\x00\x00"
    with pytest.raises(PageError, match="more than 10 pages"):
        list(read_pages(BytesIO(empty * 100), chunk(len(empty) * 100)))


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd", "gzip", "brotli", "lz4"])
def test_the_longest_text_of_a_dictionary(compression: str, monkeypatch: pytest.MonkeyPatch):
    file = BytesIO()
    pq.write_table(pa.table({"a": ["b", "", "é" * 700, "b" * 1300] * 9}), file, compression=compression)
    said = pq.read_metadata(file).row_group(0).column(0)
    dictionary = next(read_pages(file, said))
    assert longest_text(file, dictionary, said.compression) == 1400
    monkeypatch.setattr("llm_routing_env.tables.pages._LARGEST_DICTIONARY", 2000)
    assert longest_text(file, dictionary, said.compression) == 4 * 4 + 1 + 1400 + 1300


@pytest.mark.parametrize("codec", ["UNCOMPRESSED", "ZSTD", "NO_SUCH"])
def test_of_a_damaged_dictionary_no_text_is_longer_than_the_whole(codec: str):
    content = b"\x02\0\0\0ab\xff\0\0\0c"
    assert longest_text(BytesIO(content), Page(len(content), 0, None, 0, len(content)), codec) == len(content)
