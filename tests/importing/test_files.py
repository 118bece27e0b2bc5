"""What is read of files: kinds, compressions, several at once, and what is no data, in bounded memory."""

import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from imports import imported

from llm_routing_env.importing import csv_rows, json_rows
from llm_routing_env.importing.files import find_files
from llm_routing_env.tables.table import OutcomeTable

Row = dict[str, Any]


def rows(llms: tuple[str, ...] = ("a", "b"), n_queries: int = 3) -> list[Row]:
    return [
        {
            "query_id": f"q{query}",
            "context": "art",
            "prompt": f"Who, or\nwhat, is {query}?",
            "llm": llm,
            "response": f'{llm} says "{query}"',
            "accuracy": (query + number) % 3 / 2,
            "cost_usd": 0.25 + query,
        }
        for query in range(n_queries)
        for number, llm in enumerate(llms)
    ]


def write(path: Path, content: list[Row]) -> Path:
    plain = path.with_suffix("") if path.suffix in (".gz", ".zst") else path
    table = pa.Table.from_pylist(content)
    sink = pa.BufferOutputStream()
    if plain.suffix == ".parquet":
        pq.write_table(table, sink)
    elif plain.suffix == ".csv":
        pc.write_csv(table, sink)
    else:
        lines = [json.dumps(row) for row in content]
        sink.write(("[" + ",\n".join(lines) + "]" if plain.suffix == ".json" else "\n".join(lines)).encode())
    data = sink.getvalue().to_pybytes()
    if path.suffix == ".gz":
        data = gzip.compress(data)
    if path.suffix == ".zst":
        data = pa.Codec("zstd").compress(data, asbytes=True)
        with pa.CompressedOutputStream(str(path), "zstd") as out:
            out.write(sink.getvalue())
        return path
    path.write_bytes(data)
    return path


def same(table: OutcomeTable, other: OutcomeTable) -> bool:
    arrays = all(
        np.array_equal(getattr(table, name), getattr(other, name), equal_nan=True) for name in ("cost_usd", "latency_s")
    )
    scores = np.array_equal(table.accuracy("recorded"), other.accuracy("recorded"))
    texts = table.texts("response").tolist() == other.texts("response").tolist()
    return (
        arrays
        and scores
        and texts
        and table.queries.sha256 == other.queries.sha256
        and table.llm_names == other.llm_names
    )


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
def test_every_kind_and_compression_gives_the_same_table(tmp_path: Path, suffix: str, compression: str):
    expected = imported(write(tmp_path / "plain.jsonl", rows())).table
    (tmp_path / "other").mkdir()
    found = imported(write(tmp_path / "other" / f"in{suffix}{compression}", rows())).table
    assert same(found, expected)


def test_a_folder_of_one_file_per_llm_is_one_table(tmp_path: Path):
    folder = tmp_path / "runs"
    (folder / "deeper").mkdir(parents=True)
    for llm, name in (("a", "a.jsonl"), ("b", "deeper/b.csv.gz")):
        write(folder / name, [{k: v for k, v in row.items() if k != "llm"} for row in rows() if row["llm"] == llm])
    (folder / ".hidden.jsonl").write_text("not read")
    (folder / "README.md").write_text("not read")
    (tmp_path / "plain").mkdir()
    expected = imported(write(tmp_path / "plain" / "in.jsonl", rows())).table
    names = {"a.jsonl": "a", "b.csv.gz": "b"}
    from llm_routing_env.importing import ImportOptions, Reading, Source, read_rows, write_table
    from llm_routing_env.importing.presets import PRESETS

    source = Source([folder], about=lambda path: {"llm": names[path.name]})
    read = read_rows(source, PRESETS["long"], Reading())
    found = write_table(read, source.files, tmp_path / "out.parquet", ImportOptions()).table
    assert same(found, expected)
    assert [file["file"] for file in found.metadata["source"]["files"]] == ["a.jsonl", "b.csv.gz"]


def test_rows_of_other_files_are_named_in_errors(tmp_path: Path):
    first = write(tmp_path / "one.jsonl", rows(("a",)))
    second = write(tmp_path / "two.jsonl", [{**row, "accuracy": 7} for row in rows(("b",))])
    with pytest.raises(ValueError, match=r"two.jsonl, row 0, column 'accuracy': expected a number in"):
        imported([first, second])
    again = write(tmp_path / "three.jsonl", rows(("a",))[1:2])
    with pytest.raises(ValueError, match=r"three.jsonl, row 0: .* again \(first in .*one.jsonl, row 1\)"):
        imported([first, again])


def test_files_may_have_different_columns(tmp_path: Path):
    first = write(tmp_path / "one.csv", rows(("a",)))
    second = write(tmp_path / "two.jsonl", [{**row, "latency_s": 2.0} for row in rows(("b",))])
    with pytest.raises(ValueError, match=r"all numbers \(accuracy, cost_usd, latency_s\) for LLM 'a', found none"):
        imported([first, second])
    table = imported([first, second], {"latency_s": "-"}).table
    assert table.is_complete


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.jsonl", b"<!DOCTYPE html><html>", "found a page of HTML or XML"),
        ("a.csv", b"\xef\xbb\xbf  <html>", "found a page of HTML or XML"),
        ("a.jsonl", b"PK\x03\x04rest", "found a zip archive"),
        ("a.parquet", b"version https://git-lfs.github.com/spec/v1\n", "found a pointer of Git LFS: `git lfs pull`"),
        ("a.jsonl.gz", gzip.compress(b"\x80\x04pickle", mtime=0), "a pickle can run any program"),
        ("a.jsonl", gzip.compress(b'{"a": 1}\n' * 999, mtime=0)[:-20], "a.jsonl: its compression is damaged"),
        ("a.jsonl", b"", "the file is empty"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "the file is empty"),
        ("a.json", b"[]", "expected columns with unique names, found none"),
        ("a.json", b"[" * 100_000, "line 1: expected JSON objects, found"),
        ("a.jsonl", b'{"a": ' * 100_000, "line 1: expected JSON objects, found"),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n{"a": tru}\n' + b'{"a": 3}\n' * 99, "line 3: expected JSON objects, found"),
        ("a.jsonl", b'{"a": 1}\nthe end', "line 2: expected JSON objects, found 'the end'"),
        ("a.json", b'[{"a": 1}', "line 1: expected JSON objects, found ''"),
        ("a.parquet", b"PAR1 and then something else", "expected a parquet file, found something else"),
    ],
)
def test_what_is_no_data_is_one_line(tmp_path: Path, name: str, content: bytes, said: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        imported(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_links_are_followed_and_other_things_refused(tmp_path: Path):
    path = write(tmp_path / "in.jsonl", rows())
    (tmp_path / "link.jsonl").symlink_to(path)
    assert imported(tmp_path / "link.jsonl").table.n_queries == 3
    (tmp_path / "nowhere.jsonl").symlink_to(tmp_path / "gone.jsonl")
    with pytest.raises(ValueError, match=r"a link to '.*gone.jsonl', where nothing is"):
        find_files([tmp_path / "nowhere.jsonl"])
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(ValueError, match="found no regular file"):
        find_files([tmp_path / "pipe.jsonl"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected a \.parquet.* in the folder \(named \*\), found none"):
        find_files([tmp_path / "empty"])
    with pytest.raises(FileNotFoundError):
        find_files([tmp_path / "gone.jsonl"])


def test_objects_longer_than_what_is_read_at_once_and_on_many_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_rows, "_CHUNK", 7)
    content = rows(n_queries=5)
    expected = imported(write(tmp_path / "in.jsonl", content)).table
    for number, text in enumerate([json.dumps(content, indent=3), "\r\n\r\n".join(map(json.dumps, content)) + "\n\n"]):
        (tmp_path / str(number)).mkdir()
        path = tmp_path / str(number) / "in.json"
        path.write_text(text)
        assert same(imported(path).table, expected)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_ten_megabytes_in_one_cell(tmp_path: Path, suffix: str):
    content = rows()
    content[3]["response"] = "long " * 2_000_000
    table = imported(write(tmp_path / f"in{suffix}", content)).table
    assert table.text("response", 1, 1, 0) == content[3]["response"]
    assert table.text("response", 2, 1, 0) == 'b says "2"'


def test_rows_longer_than_what_is_held_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    content = rows()
    content[4]["response"] = "x" * 5000
    path = write(tmp_path / "in.csv", content)
    monkeypatch.setattr(csv_rows, "_BLOCKS", (300, 7000))
    assert imported(path).table.text("response", 2, 0, 0) == "x" * 5000
    monkeypatch.setattr(csv_rows, "_BLOCKS", (300, 1000))
    with pytest.raises(ValueError, match=r"in.csv: expected rows of at most 1000 bytes, found a longer one"):
        imported(path)
    monkeypatch.setattr(json_rows, "MOST_CHARACTERS", 1000)
    monkeypatch.setattr(json_rows, "_CHUNK", 100)
    with pytest.raises(ValueError, match=r"in.jsonl, line 5: an object of more than 1000 characters"):
        imported(write(tmp_path / "in.jsonl", content))


BOMB = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
from llm_routing_env.importing import Source
from llm_routing_env.tables import decoded
decoded.ALWAYS_BYTES = 2**27  # a gigabyte takes as long as it sounds
try:
    Source([Path(sys.argv[1])])
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["bomb.jsonl.zst", "bomb.csv.zst", "bomb.jsonl.gz"])
def test_a_bomb_is_refused_before_it_fills_memory(tmp_path: Path, name: str):
    path = tmp_path / name
    with pa.CompressedOutputStream(str(path), "zstd" if name.endswith("zst") else "gzip") as out:
        out.write(b'{"a": "' if "json" in name else b'a,b\n"')
        for _ in range(2**8):
            out.write(b" " * 2**20)
    assert path.stat().st_size < 300_000
    done = subprocess.run([sys.executable, "-c", BOMB, str(path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "more than" in done.stdout or "longer one" in done.stdout
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 1.5 * 2**20  # KiB


def test_memory_does_not_grow_with_the_responses(tmp_path: Path):
    """Responses of 160 MB pass through a process that stays far below what they and a copy take."""
    content = rows(n_queries=400)
    for number, row in enumerate(content):
        row["response"] = str(number % 10) * 200_000
    path = write(tmp_path / "in.jsonl", content)
    code = (
        "import sys; from pathlib import Path; from imports import imported; imported(Path(sys.argv[1]));"
        "print(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    helpers = Path(__file__).parents[1] / "helpers"
    environment = {**os.environ, "PYTHONPATH": f"{helpers}:{os.environ.get('PYTHONPATH', '')}"}
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert path.stat().st_size > 150 * 2**20
    assert int(done.stdout) < 450 * 2**10
