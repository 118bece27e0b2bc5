"""The journal: what it restores, what it drops, what it refuses, and what it counts as paid."""

import json
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llm_routing_env.recording.journal import Cell, Journal
from llm_routing_env.tables.outcome import Outcome

IDENTITY = {"queries": "abc", "concurrency": 1}
CELLS = [Cell(f"q{number}", "a", 0) for number in range(4)]


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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a journal of four outcomes: line 1 is the header, then two lines for each."""
    path = tmp_path / "journal"
    with Journal(path, IDENTITY, resume=False) as journal:
        for cell in CELLS:
            journal.announce(cell)
            journal.append(cell, outcome(cell.query_id))
    return path


def read(path: Path) -> Journal:
    with Journal(path, IDENTITY, resume=True) as journal:
        return journal


def write_lines(path: Path, lines: Sequence[bytes]) -> None:
    path.write_bytes(b"".join(lines))


def sealed(record: object) -> bytes:
    """Return a line with the checksum that the journal's own lines have, whatever it holds."""
    body = json.dumps(record).encode()[:-1]
    return body + b', "crc32": %d}\n' % zlib.crc32(body)


def test_every_field_comes_back(tmp_path):
    full = outcome("naïve\n\u2028text \ud800", accuracy=None, error="torn", ttft_s=0.25)
    with Journal(tmp_path / "j", {"a": [1]}, resume=False) as journal:
        journal.append(CELLS[0], full)
    with Journal(tmp_path / "j", {"a": [1]}, resume=True) as journal:
        assert journal.outcomes == {CELLS[0]: full}


def test_every_line_is_json_with_its_own_checksum(path):
    for line in path.read_bytes().splitlines(keepends=True):
        record = json.loads(line)
        del record["crc32"]
        assert sealed(record) == line


def test_a_request_without_an_outcome_is_unanswered_for_ever(path):
    with Journal(path, IDENTITY, resume=True) as journal:
        assert journal.unanswered == {}
        journal.announce(Cell("late", "a", 0))
        journal.announce(Cell("late", "a", 0))
        journal.append(Cell("late", "a", 0), outcome())
    assert read(path).unanswered == {Cell("late", "a", 0): 1}


def test_a_later_outcome_replaces_an_earlier_one_that_stays_paid(path):
    with Journal(path, IDENTITY, resume=True) as journal:
        journal.append(CELLS[0], outcome("again"))
    journal = read(path)
    assert journal.outcomes[CELLS[0]].response == "again"
    assert journal.replaced == [(CELLS[0], outcome("q0"))]


@pytest.mark.parametrize("keep", [1, 40, -1])
def test_a_torn_last_line_is_dropped_and_its_request_counts_as_sent(path, keep):
    lines = path.read_bytes().splitlines(keepends=True)
    write_lines(path, [*lines[:-1], lines[-1][:keep]])
    journal = read(path)
    assert journal.n_dropped_bytes == len(lines[-1][:keep])
    assert set(journal.outcomes) == set(CELLS[:-1])
    assert journal.unanswered == {CELLS[-1]: 1}
    assert path.read_bytes() == b"".join(lines[:-1])
    assert read(path).n_dropped_bytes == 0


def test_a_torn_header_begins_anew(tmp_path):
    (tmp_path / "journal").write_bytes(b'{"journal": 2, "quer')
    assert read(tmp_path / "journal").n_dropped_bytes == 20
    assert read(tmp_path / "journal").outcomes == {}


def test_an_empty_file_is_no_recording_that_was_begun(tmp_path):
    (tmp_path / "journal").touch()
    Journal(tmp_path / "journal", IDENTITY, resume=False).close()
    assert json.loads((tmp_path / "journal").read_text())["queries"] == "abc"


@pytest.mark.parametrize("number", [2, 5, 9])
@pytest.mark.parametrize("damage", [b"\0", b"{]\n", b"[]\n", b"\n"])
def test_a_damaged_line_is_refused_with_its_number_and_nothing_is_changed(path, number, damage):
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1] = damage if damage.endswith(b"\n") else damage * (len(lines[number - 1]) - 1) + b"\n"
    write_lines(path, lines)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"journal, line {number} is damaged: its checksum .* Delete that line"):
        read(path)
    assert path.read_bytes() == before


def test_a_single_changed_digit_is_noticed(path):
    before = path.read_bytes()
    path.write_bytes(before.replace(b'"latency_s": 0.3', b'"latency_s": 0.4', 1))
    assert path.read_bytes() != before
    with pytest.raises(ValueError, match="line 3 is damaged: its checksum does not fit"):
        read(path)


def test_the_advice_for_a_damaged_line_works(path):
    lines = path.read_bytes().splitlines(keepends=True)
    write_lines(path, [*lines[:4], *lines[5:]])  # the outcome of q1
    journal = read(path)
    assert set(journal.outcomes) == {CELLS[0], CELLS[2], CELLS[3]}
    assert journal.unanswered == {CELLS[1]: 1}


def test_a_damaged_header_is_refused_with_what_to_do(path):
    path.write_bytes(b"x" + path.read_bytes())
    with pytest.raises(ValueError, match=r"line 1 is damaged: .* put back a copy of the journal, or write that line"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"response": 5}, "response is 5"),
        ({"response": None}, "response is None"),
        ({"prompt_tokens": 1.5}, "prompt_tokens is 1.5"),
        ({"prompt_tokens": True}, "prompt_tokens is True"),
        ({"completion_tokens": 2**63}, "completion_tokens is 9223372036854775808"),
        ({"cost_usd": -0.1}, "cost_usd is -0.1"),
        ({"latency_s": float("nan")}, "latency_s is nan"),
        ({"latency_s": float("inf")}, "latency_s is inf"),
        ({"error": []}, r"error is \[\]"),
        ({"llm": 1}, "llm is 1"),
        ({"repeat": -1}, "repeat is -1"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_a_sealed_line_that_is_no_outcome_is_refused(path, change, message):
    good = {"query_id": "q", "llm": "a", "repeat": 0, **{name: getattr(outcome(), name) for name in Outcome.__slots__}}
    with open(path, "ab") as file:
        file.write(sealed(good | change))
    with pytest.raises(ValueError, match=f"line 10 is damaged: {message}"):
        read(path)


@pytest.mark.parametrize("asked", [None, 5, "q0", ["q0", "a"], ["q0", "a", "0"], ["q0", "a", 0, 0], {"a": 1}])
def test_a_sealed_line_that_is_no_request_is_refused(path, asked):
    with open(path, "ab") as file:
        file.write(sealed({"asked": asked}))
    with pytest.raises(ValueError, match="line 10 is damaged"):
        read(path)


def test_an_outcome_that_no_table_can_hold_is_never_written(path):
    before = path.read_bytes()
    with Journal(path, IDENTITY, resume=True) as journal, pytest.raises(ValueError, match="cost_usd is nan"):
        journal.append(CELLS[0], outcome(cost_usd=float("nan")))
    assert path.read_bytes() == before


def test_a_write_that_fails_leaves_the_journal_as_it_was(path, monkeypatch):
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with Journal(path, IDENTITY, resume=True) as journal:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=r"journal cannot be written: Input/output error. Its 4 outcomes are safe"):
            journal.append(Cell("late", "a", 0), outcome())
    assert path.read_bytes() == before
    assert set(read(path).outcomes) == set(CELLS)


@pytest.mark.parametrize("resume", [False, True])
def test_a_journal_in_use_is_refused(path, resume):
    before = path.read_bytes()
    with (
        Journal(path, IDENTITY, resume=True),
        pytest.raises(ValueError, match="another process is recording into this journal"),
    ):
        Journal(path, IDENTITY, resume=resume)
    assert path.read_bytes() == before


def test_a_journal_that_exists_is_not_begun_anew(path):
    with pytest.raises(ValueError, match=r"exists: .* --resume"):
        Journal(path, IDENTITY, resume=False)


def test_a_journal_of_something_else_is_refused(path):
    with pytest.raises(ValueError, match="another recording: its concurrency is 1, now it is 2"):
        Journal(path, {**IDENTITY, "concurrency": 2}, resume=True)
