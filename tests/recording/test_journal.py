"""The journal: what it restores, what it refuses, what it counts as paid, and who may write to it."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import journal_files
import numpy as np
import pytest

from llm_routing_env.backends import journal_file
from llm_routing_env.backends.journal import Journal, Spent
from llm_routing_env.backends.journal_file import Kept
from llm_routing_env.tables.outcome import Outcome

IDENTITIES = {"a": {"model": "a", "temperature": 0}, "b": {"model": "b"}}
N_ROWS = 4


def recorded(journal: Journal) -> list[tuple[bytes, int, bool]]:
    found: list[tuple[bytes, int, bool]] = []
    journal.each(lambda request, repeat, failed, load: found.append((request, repeat, failed)))
    return found


def outcome(text: str = "yes", **changes: Any) -> Outcome:
    return Outcome(
        **{
            "response": text,
            "prompt_tokens": 3,
            "completion_tokens": 4,
            "cost_usd": 0.1 + 0.2,
            "latency_s": 1 / 3,
            **changes,
        }
    )


def keep(journal: Journal, number: int, what: Outcome | None = None, *, repeat: int = 0) -> None:
    """Announce a request of at most 1 USD, and write its outcome, which cost 0.25 USD."""

    async def write() -> None:
        attempt = await journal_files.announced(journal, 1.0)
        await journal.append(Kept(key(number), repeat, f"q{number}", "a", what or outcome(f"q{number}")), attempt, 0.25)

    asyncio.run(write())


def key(number: int) -> bytes:
    return number.to_bytes(16)


def find(journal: Journal, number: int, repeat: int = 0) -> Outcome | None:
    return asyncio.run(journal.find(key(number), repeat))


def contents(path: Path) -> list[Outcome | None]:
    """Return what a journal gives for each of the four requests."""
    with Journal(path, resume=True) as journal:
        found = [find(journal, number) for number in range(N_ROWS)]
        assert journal.outcomes_of([key(number) for number in range(N_ROWS)]) == {
            (key(number), 0): kept for number, kept in enumerate(found) if kept is not None
        }
        assert len(recorded(journal)) == sum(kept is not None for kept in found)
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal of four outcomes."""
    path = tmp_path / "out.journal.sqlite"
    with Journal(path, resume=False) as journal:
        journal.begin_run({}, IDENTITIES)
        for number in range(N_ROWS):
            keep(journal, number)
    return path


@pytest.mark.parametrize(
    "text", ["naïve\n\u2028text 😀", "null \0 byte", "", "'; DROP TABLE outcomes; --", "9" * 10**6]
)
def test_every_field_comes_back(tmp_path: Path, text: str):
    full = outcome(
        text,
        cost_usd=-0.0,
        latency_s=1e-300,
        error=text,
        ttft_s=0.25,
        n_attempts=3,
        wait_s=2.5,
        finish_reason="length",
        prompt_tokens=2**53,
        cached_tokens=2,
        reasoning_tokens=1,
    )
    with Journal(tmp_path / "j", resume=False) as journal:
        keep(journal, 0, full, repeat=7)
        assert find(journal, 0, 7) == full
    with Journal(tmp_path / "j", resume=True) as journal:
        assert journal.n_damaged == 0
        assert find(journal, 0, 7) == full
        assert (find(journal, 0), find(journal, 1, 7)) == (None, None)
        assert recorded(journal) == [(key(0), 7, True)]


def test_prices_in_numpy_s_numbers_come_back_too(tmp_path: Path):
    with Journal(tmp_path / "j", resume=False) as journal:
        keep(journal, 0, outcome(cost_usd=np.float64(0.1), latency_s=np.float64(0.2)))
    with Journal(tmp_path / "j", resume=True) as journal:
        assert (journal.n_damaged, find(journal, 0)) == (0, outcome(cost_usd=0.1, latency_s=0.2))


def test_sqlite_alone_reads_it(path: Path):
    rows = [journal_files.Row(f"q{number}", "a", 0, f"q{number}", None) for number in range(N_ROWS)]
    assert journal_files.rows(path) == rows
    assert not path.with_name(f"{path.name}-wal").exists()  # one file, once it is closed


def test_a_request_without_an_outcome_is_lost_for_ever_and_counts_at_its_worst(path: Path):
    with Journal(path, resume=True) as journal:
        assert journal.spent() == Spent(4 * 0.25, 4, 0)
        asyncio.run(journal_files.announced(journal, 1.0))
        asyncio.run(journal_files.announced(journal, 3.0))
        keep(journal, 5)
        assert journal.spent() == Spent(5 * 0.25 + 4.0, 7, 2)
    with Journal(path, resume=True) as journal:
        assert journal.spent() == Spent(5 * 0.25 + 4.0, 7, 2)


def test_a_request_that_failed_is_settled_and_one_that_was_never_sent_is_none(path: Path):
    with Journal(path, resume=True) as journal:
        failed, unsent = (
            asyncio.run(journal_files.announced(journal, 1.0)),
            asyncio.run(journal_files.announced(journal, 1.0)),
        )
        journal.settle(failed, 0.5, was_sent=True)
        journal.settle(unsent, 0.0, was_sent=False)
    with Journal(path, resume=True) as journal:
        assert journal.spent() == Spent(4 * 0.25 + 0.5, 5, 0)


def test_a_later_outcome_replaces_an_earlier_one_that_stays_paid(path: Path):
    with Journal(path, resume=True) as journal:
        keep(journal, 0, outcome("", error="HTTP 500"))
        assert recorded(journal)[-1] == (key(0), 0, True)
        keep(journal, 0, outcome("again"))
    found = contents_of_first(path)
    assert found.response == "again"
    with Journal(path, resume=True) as journal:
        assert journal.spent() == Spent(6 * 0.25, 6, 0)
        assert recorded(journal)[-1] == (key(0), 0, False)


def contents_of_first(path: Path) -> Outcome:
    with Journal(path, resume=True) as journal:
        found = find(journal, 0)
        assert journal.outcomes_of([key(0)]) == {(key(0), 0): found}
    assert found is not None
    return found


def test_an_empty_file_is_no_recording_that_was_begun(tmp_path: Path):
    (tmp_path / "j").touch()
    with Journal(tmp_path / "j", resume=False) as journal:
        keep(journal, 0)
    assert len(journal_files.rows(tmp_path / "j")) == 1


def test_a_journal_that_exists_is_not_begun_anew(path: Path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"exists: a recording was begun. Go on with it by --resume"):
        Journal(path, resume=False)
    assert path.read_bytes() == before


def test_a_journal_in_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="there is no folder"):
        Journal(tmp_path / "none" / "j", resume=False)


def test_a_folder_is_no_journal(tmp_path: Path):
    with pytest.raises(OSError, match="cannot be opened: unable to open database file"):
        Journal(tmp_path, resume=True)


# --- who may write


def open_elsewhere(path: Path) -> str:
    """Return what another process that opens the journal is told."""
    code = "import sys; from llm_routing_env.backends.journal import Journal; Journal(sys.argv[1], resume=True).close()"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize("resume", [False, True])
def test_a_journal_in_use_is_refused_here_and_elsewhere(path: Path, resume: bool):
    with Journal(path, resume=True) as journal:
        for _ in range(2):  # a refusal here must not let go of its lock, as closing the file anywhere would
            with pytest.raises(ValueError, match="this or another process is recording into this journal"):
                Journal(path, resume=resume)
            assert "this or another process is recording into this journal" in open_elsewhere(path)
        keep(journal, 9)
    assert open_elsewhere(path) == ""
    assert len(journal_files.rows(path)) == N_ROWS + 1


def test_a_refused_journal_is_let_go(path: Path):
    """Its thread ends and its lock is gone, so that it can be mended and opened in the same process."""
    whole = path.read_bytes()
    path.write_bytes(whole[:5000])
    for _ in range(2):
        with pytest.raises(ValueError, match="is damaged, or no journal"):
            Journal(path, resume=True)
    path.write_bytes(whole)
    assert None not in contents(path)


def test_a_closed_journal_takes_nothing_and_may_be_closed_twice(path: Path):
    journal = Journal(path, resume=True)
    journal.close()
    journal.close()
    with pytest.raises(ValueError, match="is closed"):
        keep(journal, 5)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_needs_its_own_and_leaves_its_parent_s_alone(path: Path):
    with Journal(path, resume=True) as journal:
        child = os.fork()
        if child == 0:
            try:
                journal.spent()
            except RuntimeError as error:
                journal.close()
                os._exit(0 if "open one of its own here" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        keep(journal, 5)
        assert "recording into this journal" in open_elsewhere(path)
    assert len(journal_files.rows(path)) == N_ROWS + 1


# --- whose outcomes


@pytest.mark.parametrize(
    "identities", [IDENTITIES, {"a": IDENTITIES["a"]}, {**IDENTITIES, "c": {"model": "c"}}, {"b": {"model": "b"}}]
)
def test_a_pool_that_shares_an_llm_goes_on_with_a_journal(path: Path, identities: dict[str, Any]):
    for _ in range(2):
        with Journal(path, resume=True) as journal:
            journal.begin_run({}, identities)


@pytest.mark.parametrize(
    ("identities", "message"),
    [
        ({"a": {"model": "a", "temperature": 0.7}}, "outcomes of 'a' with temperature 0, now it is 0.7, which answers"),
        ({"a": {"model": "a"}, "b": {"model": "b"}}, "outcomes of 'a' with temperature 0, now it is None"),
        ({"c": {"model": "a"}}, r"the journal of another pool: it has outcomes of \['a', 'b'\], the pool has \['c'\]"),
    ],
)
def test_llms_that_answer_otherwise_are_refused_and_nothing_is_noted(path: Path, identities: Any, message: str):
    before = path.read_bytes()
    with Journal(path, resume=True) as journal, pytest.raises(ValueError, match=message):
        journal.begin_run({}, identities)
    assert path.read_bytes() == before


# --- what is no journal, or a damaged one


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["out.journal.sqlite", "out.journal.jsonl"])
def test_a_journal_of_json_lines_is_refused_where_it_is_and_beside_a_new_one(tmp_path: Path, name: str, resume: bool):
    old = tmp_path / name
    old.write_text('{"journal": 3, "pool": {}, "crc32": 1}\n{"asked": ["q", "a", 0], "crc32": 2}\n')
    before = old.read_bytes()
    with pytest.raises(
        ValueError, match=r"earlier version: `pickllm export journal .* writes what it holds"
    ) as refused:
        Journal(tmp_path / "out.journal.sqlite", resume=resume)
    assert str(old) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert old.read_bytes() == before
    assert list(tmp_path.iterdir()) == [old]


@pytest.mark.parametrize(
    "content", [b"query_id,llm\n" * 400, b"PAR1" + bytes(4000), b"SQLite format 3\0" + b"x" * 5000]
)
def test_another_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes):
    path = tmp_path / "j"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged, or no journal: .* put back a copy"):
        Journal(path, resume=True)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("statement", ["PRAGMA user_version = 5", "PRAGMA user_version = 0"])
def test_a_database_of_another_kind_or_version_is_refused(path: Path, statement: str):
    change(path, statement)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is no journal of this version"):
        Journal(path, resume=True)
    assert path.read_bytes() == before


def change(path: Path, statement: str, values: Sequence[Any] = ()) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("response", "q2"),
        ("response", b"q1"),
        ("response", None),
        ("cost_usd", 0.1),
        ("latency_s", 0),
        ("prompt_tokens", 3.0),
        ("n_attempts", "1"),
        ("error", ""),
        ("request", (0).to_bytes(16)),
        ("request", "text"),
        ("repeat", 1),
        ("llm", "b"),
        ("query_id", "q2"),
        ("crc32", 0),
        ("crc32", "text"),
        ("wait_s", float("inf")),
        ("reasoning_tokens", 1),
        ("finish_reason", "stop"),
    ],
)
def test_a_row_with_a_single_changed_value_is_as_if_it_were_not_there(path: Path, column: str, value: Any):
    change(path, f"UPDATE outcomes SET {column} = ? WHERE number = 2", (value,))
    assert contents(path) == [outcome("q0"), None, outcome("q2"), outcome("q3")]
    with Journal(path, resume=True) as journal:
        assert journal.n_damaged == 1
        keep(journal, 1)  # asked again
    assert contents(path) == [outcome(f"q{number}") for number in range(N_ROWS)]


@pytest.mark.parametrize(("before", "after"), [(b"\x7fq3", b"\x7f\xff3"), (b"q1", b"q\xc3")])
def test_text_that_is_none_is_a_damaged_row(tmp_path: Path, before: bytes, after: bytes):
    path = tmp_path / "j"
    with Journal(path, resume=False) as journal:
        for number in range(N_ROWS):
            keep(journal, number, outcome(f"\x7fq{number}"))
    content = path.read_bytes()
    place = content.rindex(before)
    path.write_bytes(content[:place] + after + content[place + len(after) :])
    with Journal(path, resume=True) as journal:
        assert journal.n_damaged == 1
    assert contents(path).count(None) == 1


@pytest.mark.parametrize("change_to", ["paid_usd = 0.0", "paid_usd = 'x'", "is_over = 1"])
def test_what_was_paid_is_never_less_than_it_was(path: Path, change_to: str):
    with Journal(path, resume=True) as journal:
        asyncio.run(journal_files.announced(journal, 1.0))
        before = journal.spent()
    change(path, f"UPDATE attempts SET {change_to}")
    try:
        with Journal(path, resume=True) as journal:
            after = journal.spent()
    except ValueError:
        return
    assert after.usd >= before.usd
    assert after.n_lost >= before.n_lost


def test_an_index_that_hides_a_row_is_refused(path: Path):
    """Else the row would be counted as recorded, and never be found."""
    content = path.read_bytes()
    places = [place for place in range(len(content)) if content.startswith(key(2), place)]
    assert len(places) == 2  # in the row and in the index
    for place in places:
        damaged = content[:place] + key(200) + content[place + 16 :]
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is damaged, or no journal: row 3 missing from index outcome_of"):
            contents(path)
        assert path.read_bytes() == damaged


def test_what_is_left_of_a_journal_that_was_moved_is_not_deleted(path: Path):
    log = path.with_name(f"{path.name}-wal")
    path.unlink()
    log.write_bytes(b"outcomes")
    for resume in (False, True):
        with pytest.raises(ValueError, match=r"-wal belongs to a journal that was moved or deleted"):
            Journal(path, resume=resume)
    assert log.read_bytes() == b"outcomes"


# --- disks


def keep_all(journal: Journal, numbers: Iterator[int]) -> None:
    for number in numbers:
        keep(journal, number, outcome("x" * 2000))


def test_a_full_disk_ends_in_an_error_and_the_same_journal_goes_on_once_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    connections: list[sqlite3.Connection] = []
    opened = journal_file.open_file

    def small(path: Path, **options: bool) -> sqlite3.Connection:
        connection = opened(path, **options)
        connection.execute("PRAGMA max_page_count = 12")
        connections.append(connection)
        return connection

    monkeypatch.setattr(journal_file, "open_file", small)
    with Journal(path, resume=True) as journal:
        numbers = iter(range(10, 100))
        with pytest.raises(OSError, match=r"sqlite cannot be written: database or disk is full. Its outcomes are safe"):
            keep_all(journal, numbers)
        number = next(numbers) - 1
        n_kept, before = len(recorded(journal)), journal.spent()
        assert n_kept == number - 10 + N_ROWS
        assert before.n_lost == 1
        connections[0].execute("PRAGMA max_page_count = 1000")
        keep(journal, number)
        assert journal.spent() == Spent(before.usd + 0.25, before.n_requests + 1, 1)
    assert len(journal_files.rows(path)) == n_kept + 1
    assert journal_files.n_open(path) == 1
