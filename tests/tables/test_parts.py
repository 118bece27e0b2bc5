"""Tables of many files: a folder of parts is the table that one file with all the rows is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tables import random_table, sparse_table, write_random_table
from typer.testing import CliRunner

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.cli import app
from llm_routing_env.observations.embedding_file import embeddings_path
from llm_routing_env.recording.table_writer import join_files
from llm_routing_env.tables import batches, check, decoded, grid
from llm_routing_env.tables.batches import written_batches
from llm_routing_env.tables.file import TableFile
from llm_routing_env.tables.load import load_table
from llm_routing_env.tables.table import OutcomeTable

SAID = {"llms": ["llm-0", "llm-1", "llm-2", "llm-3"], "pool": {"name": "random"}, "scorer": "exact_match"}


def rows_of(table: OutcomeTable) -> pa.Table:
    return table._all_rows().replace_schema_metadata({"pickllm": json.dumps(SAID)})


def folder_of(path: Path, rows: pa.Table, bounds: Sequence[int] = (50, 51, 200), **options: Any) -> Path:
    """Write rows as parts that begin at these rows."""
    path.mkdir()
    ends = [*bounds, len(rows)]
    for number, (start, end) in enumerate(zip((0, *bounds), ends, strict=True)):
        pq.write_table(rows.slice(start, end - start), path / f"part-{number:02d}.parquet", **options)
    return path


def both(folder: Path, table: OutcomeTable, **options: Any) -> tuple[OutcomeTable, OutcomeTable]:
    """Return a table read from one file, and from a folder of parts."""
    pq.write_table(rows_of(table), folder / "one.parquet")
    many = folder_of(folder / "many", rows_of(table), **options)
    return OutcomeTable.read(folder / "one.parquet"), OutcomeTable.read(many)


def edit(part: Path, change: Any) -> None:
    pq.write_table(change(pq.read_table(part)), part)


def check_same(found: OutcomeTable, expected: OutcomeTable) -> None:
    assert (found.query_ids, found.llm_names, found.contexts) == (
        expected.query_ids,
        expected.llm_names,
        expected.contexts,
    )
    for name in ("present", "cost_usd", "latency_s", "failed", "is_train", "query_contexts", "n_references"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    np.testing.assert_array_equal(found.accuracy("exact_match"), expected.accuracy("exact_match"))
    np.testing.assert_array_equal(found.integers("prompt_tokens"), expected.integers("prompt_tokens"))
    assert list(found.queries) == list(expected.queries)
    for cell in ((0, 0, 0), (found.n_queries - 1, 3, 2), (4, 1, 1), (5, 0, 2)):
        assert found.text("response", *cell) == expected.text("response", *cell)
    np.testing.assert_array_equal(found.texts("response"), expected.texts("response"))
    assert (found.cost_scale_usd, found.notes) == (expected.cost_scale_usd, expected.notes)
    assert pa.concat_tables(found.batches(found.columns)).to_pylist() == expected._all_rows().to_pylist()


@pytest.mark.parametrize("table", [random_table(per_context=8), sparse_table(per_context=10)], ids=["full", "sparse"])
@pytest.mark.parametrize("options", [{}, {"row_group_size": 7}, {"store_schema": False}], ids=str)
def test_a_folder_of_parts_is_the_table_of_one_file(tmp_path: Path, table: OutcomeTable, options: dict[str, Any]):
    one, many = both(tmp_path, table, **options)
    check_same(many, one)
    many.resplit(np.arange(5, 9), np.zeros(4, dtype=bool))
    many.write(tmp_path / "again.parquet")
    check_same(OutcomeTable.read(tmp_path / "again.parquet"), one)


def test_rows_may_lie_in_any_part(tmp_path: Path):
    table = random_table(per_context=8)
    rows = rows_of(table)
    shuffled = np.random.default_rng(0).permutation(len(rows))
    many = OutcomeTable.read(folder_of(tmp_path / "many", rows.take(pa.array(shuffled))))
    places = [many.query_ids.index(query_id) for query_id in table.query_ids]
    np.testing.assert_array_equal(many.cost_usd[places], table.cost_usd)
    assert [many.queries[place] for place in places] == list(table.queries)


def test_the_environment_takes_the_same_steps(tmp_path: Path):
    both(tmp_path, random_table(per_context=20))
    sessions = []
    for name in ("one.parquet", "many"):
        env = gym.make("PickLLM-v0", table=str(tmp_path / name), observation="none", split="all", info="full")
        _, info = env.reset(seed=3)
        sessions.append([info, *(env.step(number % 4)[1:] for number in range(20))])
    np.testing.assert_equal(sessions[0], sessions[1])


def test_parts_whose_texts_arrow_reads_in_other_ways_are_one_table(tmp_path: Path):
    rows = rows_of(random_table(per_context=8))
    many = folder_of(tmp_path / "many", rows)
    columns = ("query_id", "prompt", "llm", "references.list.element")
    encoding = dict.fromkeys(columns, "DELTA_BYTE_ARRAY")
    pq.write_table(rows.slice(51, 149), many / "part-02.parquet", use_dictionary=False, column_encoding=encoding)
    codes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(50, np.int32)), pa.array(["art"]))
    edit(many / "part-00.parquet", lambda rows: rows.set_column(rows.column_names.index("context"), "context", codes))
    found = OutcomeTable.read(many)
    check_same(found, OutcomeTable(rows))
    join_files(sorted(many.iterdir()), tmp_path / "one.parquet", {})
    check_same(OutcomeTable.read(tmp_path / "one.parquet"), found)


def test_a_text_is_read_from_its_part_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    reads: list[tuple[str, str]] = []
    select = TableFile.select

    def selected(self: TableFile, columns: Any) -> pa.Table:
        reads.extend((Path(self.name).name, column) for column in columns)
        return select(self, columns)

    monkeypatch.setattr(TableFile, "select", selected)
    many = OutcomeTable.read(folder_of(tmp_path / "many", rows_of(random_table(per_context=8))))
    assert not {"prompt", "references", "response"} & {column for _, column in reads}
    reads.clear()
    assert [many.text("response", 0, llm, 0) for llm in (1, 1, 2)] == ["answer 1", "answer 1", "answer 2"]
    assert many.queries[8].prompt == "biology question 0?"  # rows 96 to 107
    assert reads == [
        ("part-00.parquet", "response"),
        ("part-02.parquet", "prompt"),
        ("part-02.parquet", "references"),
    ]


def test_other_files_in_the_folder_are_no_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = random_table(per_context=8)
    many = folder_of(tmp_path / "many.v2", rows_of(table))
    for name in (".hidden.parquet", "old.embeddings.parquet", "_SUCCESS", "readme.txt"):
        (many / name).write_text("no parquet")
    (many / "folder.parquet").mkdir()
    check_same(OutcomeTable.read(many), table)
    assert OutcomeTable.read(many).name == "many.v2"
    monkeypatch.chdir(many)
    assert OutcomeTable.read(".").name == "many.v2"
    assert embeddings_path(Path(".")) == tmp_path / "many.v2.embeddings.parquet"


def test_embeddings_lie_beside_the_folder(tmp_path: Path):
    one = write_random_table(tmp_path, per_context=8)
    many = folder_of(tmp_path / "many", rows_of(random_table(per_context=8)))
    embeddings_path(one).rename(tmp_path / "many.embeddings.parquet")
    env = gym.make("PickLLM-v0", table=str(many), observation="embedding", split="all")
    observation, _ = env.reset(seed=0)
    assert np.linalg.norm(observation) == pytest.approx(1, abs=1e-6)


def test_commands_take_a_folder(tmp_path: Path):
    many = str(folder_of(tmp_path / "many", rows_of(random_table(per_context=8))))
    compare = ["compare", "--table", many, "--sessions", "2", "--agents", "ucb1", "--out", str(tmp_path / "out")]
    for command in (["inspect", many], compare):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
    assert "many: 288 rows" in CliRunner().invoke(app, ["verify", many]).output
    done = CliRunner().invoke(app, ["load-curve", many])
    assert "is a folder, which is not written over" in str(done.exception)


def test_parts_may_lack_what_a_table_may_lack(tmp_path: Path):
    rows = rows_of(random_table(per_context=8))
    rows = rows.append_column("finish_reason", pa.array(["length"] * len(rows)))
    rows = rows.append_column("wait_s", pa.array([1.0] * len(rows)))
    many = folder_of(tmp_path / "many", rows, (100, 200))
    edit(many / "part-00.parquet", lambda rows: rows.drop_columns(["finish_reason", "prompt_tokens", "wait_s"]))
    nothing = pa.nulls(100)
    edit(many / "part-01.parquet", lambda rows: rows.set_column(rows.column_names.index("error"), "error", nothing))
    table = OutcomeTable.read(many)
    assert table.cut is not None
    assert table.cut.ravel().tolist() == [False] * 100 + [True] * 188
    assert table.integers("prompt_tokens").ravel().tolist() == [0] * 100 + [10] * 188
    assert [row["wait_s"] for rows in table.batches(["wait_s"]) for row in rows.to_pylist()][99:101] == [None, 1.0]


def test_metadata_is_what_all_parts_say(tmp_path: Path):
    many = folder_of(tmp_path / "many", rows_of(random_table(per_context=8)), (100, 200))
    for number, part in enumerate(sorted(many.iterdir())):
        said = SAID | {"notes": ["both", f"of {number}"], "recorded_at": f"{number}", "cost_scale": number, "same": 1}
        edit(part, lambda rows, said=said: rows.replace_schema_metadata({"pickllm": json.dumps(said)}))
    table = OutcomeTable.read(many)
    assert table.metadata["notes"] == ["both", "of 0", "of 1", "of 2"]
    assert "recorded_at" not in table.metadata
    assert table.metadata["same"] == 1
    assert table.cost_scale_usd == random_table(per_context=8).cost_usd.mean(axis=(0, 2)).max()


def said(**changes: Any) -> Any:
    return lambda rows: rows.replace_schema_metadata({"pickllm": json.dumps(SAID | changes)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop_columns(["latency_s"]), r"part-01\.parquet: missing columns \['latency_s'\]"),
        (lambda rows: rows.append_column("measure_x", rows["cost_usd"]), r"part-00\.parquet: .* it has no 'measure_x'"),
        (
            lambda rows: rows.set_column(rows.column_names.index("repeat"), "repeat", rows["repeat"].cast(pa.int32())),
            r"part-01\.parquet: column 'repeat' is int32, in .*part-00\.parquet int64; write the parts",
        ),
        (said(llms=["a"]), r"part-01\.parquet: its metadata says something else of 'llms' than that of .*part-00"),
        (said(pool={"name": "b"}), r"part-01\.parquet: its metadata says something else of 'pool'"),
        (said(scorer=1), r"part-01\.parquet: its metadata has scorer 1, which is of the wrong type"),
        (
            lambda rows: pa.concat_tables([rows, rows.slice(3, 1)]),
            r"part-01\.parquet, row 30: duplicate of query 'art-4', LLM 'llm-1', repeat 0",
        ),
        (
            lambda rows: rows.set_column(rows.column_names.index("cost_usd"), "cost_usd", pa.array([-1.0] * 30)),
            r"part-01\.parquet, row 0 \(query 'art-4', LLM 'llm-0'\): cost_usd must be a finite number",
        ),
        (lambda rows: rows.slice(0, 29), "many: no row for query 'art-6', LLM 'llm-1', repeat 2; a pair"),
    ],
)
def test_a_part_that_does_not_fit_is_refused_by_name(tmp_path: Path, change: Any, message: str):
    many = folder_of(tmp_path / "many", rows_of(random_table(per_context=8)), (48, 78))
    edit(many / "part-01.parquet", change)
    with pytest.raises(ValueError, match=message) as refused:
        OutcomeTable.read(many)
    assert "\n" not in str(refused.value)


def test_rows_that_two_parts_have_are_refused(tmp_path: Path):
    many = folder_of(tmp_path / "many", rows_of(random_table(per_context=8)), (48, 78))
    (many / "part-09.parquet").write_bytes((many / "part-00.parquet").read_bytes())
    with pytest.raises(ValueError, match=r"part-09\.parquet, row 0: duplicate of query 'art-0', LLM 'llm-0', repeat 0"):
        OutcomeTable.read(many)


def test_a_folder_without_parts_is_refused(tmp_path: Path):
    (tmp_path / "t.embeddings.parquet").touch()
    for read in (OutcomeTable.read, load_table):
        with pytest.raises(ValueError, match=r"expected a folder of the files of an outcome table, found no \*\.parq"):
            read(tmp_path)


def test_a_part_without_rows_is_no_fault(tmp_path: Path):
    rows = rows_of(random_table(per_context=8))
    many = folder_of(tmp_path / "many", rows, (0, 100))
    pq.ParquetWriter(many / "part-09.parquet", rows.schema).close()
    check_same(OutcomeTable.read(many), OutcomeTable(rows))
    for part in many.iterdir():
        pq.ParquetWriter(part, rows.schema).close()
    with pytest.raises(ValueError, match="many: the table has no rows"):
        OutcomeTable.read(many)


def test_a_part_that_changed_is_refused_and_read_anew(tmp_path: Path):
    many = folder_of(tmp_path / "many", rows_of(random_table(per_context=8)), (144,))
    table, hashed = load_table(many), load_table(many).sha256
    assert load_table(str(many)) is table
    edit(many / "part-01.parquet", lambda rows: rows.slice(0, 72))
    with pytest.raises(ValueError, match=r"part-01\.parquet: the file has changed since the table was opened"):
        table.text("response", 20, 0, 0)
    assert table.text("response", 0, 1, 0) == "answer 1"
    assert (load_table(many).n_queries, table.n_queries) == (18, 24)
    assert load_table(many).sha256 != hashed
    (many / "part-01.parquet").unlink()
    assert load_table(many).n_queries == 12


def test_the_hash_is_that_of_the_hashes_in_order_and_of_one_file_its_own(tmp_path: Path):
    rows = rows_of(random_table(per_context=8))
    pq.write_table(rows, tmp_path / "one.parquet")
    one = OutcomeTable.read(tmp_path / "one.parquet")
    assert OutcomeTable.read(folder_of(tmp_path / "alone", rows, ())).sha256 == one.sha256
    many = folder_of(tmp_path / "many", rows, (144,))
    hashed = OutcomeTable.read(many).sha256
    (many / "part-00.parquet").rename(many / "part-1.parquet")  # comes after the other now
    assert OutcomeTable.read(many).sha256 != hashed


def test_files_together_take_what_one_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    many = folder_of(tmp_path / "many", rows_of(random_table(per_context=8)), (72, 144, 216))
    monkeypatch.setattr(decoded, "MOST_TIMES_FILE", 1)
    monkeypatch.setattr(decoded, "ALWAYS_BYTES", 32_000)
    OutcomeTable.read(many / "part-00.parquet").texts("response")  # alone; now it has a quarter
    with pytest.raises(ValueError, match=r"part-00\.parquet: it would take \d+ bytes of memory or more"):
        OutcomeTable.read(many)


def test_more_rows_than_one_file_may_have_are_a_folder_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    table = random_table(per_context=8)
    monkeypatch.setattr(check, "MOST_ROWS", 100)
    table.write(tmp_path / "t.parquet")
    parts = sorted((tmp_path / "t.parquet").iterdir())
    assert [part.name for part in parts] == [f"part-0000{number}.parquet" for number in (1, 2, 3)]
    assert [pq.read_metadata(part).num_rows for part in parts] == [100, 100, 88]
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]
    check_same(OutcomeTable.read(tmp_path / "t.parquet"), table)
    with pytest.raises(FileExistsError, match="it exists and is no file"):
        table.write(tmp_path / "t.parquet")
    pq.write_table(rows_of(table), tmp_path / "large.parquet")
    with pytest.raises(ValueError, match=r"large\.parquet: declares 288 rows and \d+ bytes; at most 100"):
        OutcomeTable.read(tmp_path / "large.parquet")


def test_more_bytes_than_one_file_may_have_are_a_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = random_table(per_context=8)
    monkeypatch.setattr(batches, "FILE_BYTES", 20_000)
    with written_batches(tmp_path / "t", SAID) as write:
        for start in range(0, 288, 10):
            write(table._all_rows().slice(start, 10))
    assert len(list((tmp_path / "t").iterdir())) > 1
    check_same(OutcomeTable.read(tmp_path / "t"), table)


def test_batches_become_groups_of_many_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "GROUP_ROWS", 64)
    with written_batches(tmp_path / "t.parquet", SAID) as write:
        for start in range(0, 288, 8):
            write(random_table(per_context=8)._all_rows().slice(start, 8))
    footer = pq.read_metadata(tmp_path / "t.parquet")
    assert [footer.row_group(group).num_rows for group in range(footer.num_row_groups)] == [64, 64, 64, 64, 32]


def test_what_was_there_stays_where_a_folder_is_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "t.parquet").write_text("precious")
    monkeypatch.setattr(check, "MOST_ROWS", 100)
    with pytest.raises(FileExistsError, match="exists: move it away; so many rows become a folder of files"):
        random_table(per_context=8).write(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").rename(tmp_path / "moved")
    rows = random_table(per_context=8)._all_rows()

    def write_two() -> None:
        with written_batches(tmp_path / "t.parquet", SAID) as write:
            write(rows)
            write(rows.select(["llm"]))

    with pytest.raises(ValueError, match="schema"):
        write_two()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_a_folder_never_replaces_what_came_there_in_the_meantime(tmp_path: Path):
    def write() -> None:
        with replacing(tmp_path / "t") as new:
            new.unlink()
            new.mkdir()
            (tmp_path / "t").write_text("precious")

    with pytest.raises(OSError, match="Not a directory"):
        write()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


def test_shards_become_a_folder_where_one_file_cannot_hold_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    table = random_table(per_context=8)
    shards = folder_of(tmp_path / "shards", rows_of(table), (96, 192))
    monkeypatch.setattr(check, "MOST_ROWS", 100)
    monkeypatch.setattr(batches, "BATCH_ROWS", 16)
    join_files(sorted(shards.iterdir()), tmp_path / "t.parquet", {"queries_sha256": "all"})
    found = OutcomeTable.read(tmp_path / "t.parquet")
    check_same(found, table)
    assert found.metadata["queries_sha256"] == "all"
    assert [pq.read_metadata(part).num_rows for part in sorted((tmp_path / "t.parquet").iterdir())] == [96, 96, 96]


def test_a_grid_may_be_as_large_as_what_the_parts_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check, "MOST_ROWS", 100)
    rows = rows_of(random_table(per_context=8))
    shuffled = rows.take(pa.array(np.arange(len(rows))[::-1]))
    assert OutcomeTable.read(folder_of(tmp_path / "all", shuffled, (96, 192))).n_queries == 24
    few = pa.concat_tables([rows.slice(0, 12), *(rows.slice(start, 3) for start in range(12, 288, 12))])
    OutcomeTable(few)  # 81 rows of 288: more than a quarter
    monkeypatch.setattr(grid, "MOST_CELLS_PER_ROW", 3)
    with pytest.raises(ValueError, match="a grid of 24 queries, 4 LLMs and 3 repeats is too large"):
        OutcomeTable(few)
