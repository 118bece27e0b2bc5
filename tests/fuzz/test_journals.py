"""Journals that are damaged or odd."""

import json
import zlib

from mutations import damaged, fuzz, odd, read_or_refuse

from llm_routing_env.recording.journal import SCHEMA_VERSION, Cell, Journal
from llm_routing_env.tables.outcome import Outcome

IDENTITY = {"queries": "abc"}
OUTCOMES = {Cell(f"q{n}", "a", 0): Outcome("naïve\n", 3, 4, 0.1, 1 / 3, None, None, 0.2) for n in range(3)}
RECORD = {"query_id": "q", "llm": "a", "repeat": 1, "response": "yes", "prompt_tokens": 3, "completion_tokens": 4}
RECORD |= {"cost_usd": 0.1, "latency_s": 0.2, "accuracy": None, "error": "late", "ttft_s": 0.1, "n_attempts": 1}


def sealed(record):
    body = json.dumps(record).encode()[:-1]
    return body + b', "crc32": %d}\n' % zlib.crc32(body)


HEADER = sealed({"journal": SCHEMA_VERSION, **IDENTITY})


def resume(path):
    with Journal(path, IDENTITY, resume=True) as journal:
        return journal


def content_of(tmp_path):
    """Return a journal of three outcomes."""
    path = tmp_path / "whole"
    path.unlink(missing_ok=True)
    with Journal(path, IDENTITY, resume=False) as journal:
        for cell, outcome in OUTCOMES.items():
            journal.announce(cell)
            journal.append(cell, outcome)
    return path.read_bytes()


def test_damaged_journals_lose_nothing_or_are_refused(tmp_path):
    whole = content_of(tmp_path)
    path = tmp_path / "journal"

    def check(seed):
        content = damaged(whole, seed)
        path.write_bytes(content)
        journal = read_or_refuse(lambda: resume(path))
        if journal is None:
            assert path.read_bytes() == content  # refused, and left as it was
            return
        # No damage makes an outcome of its own: what is read was written.
        assert journal.outcomes.items() <= OUTCOMES.items()
        again = resume(path)
        assert (again.outcomes, again.n_dropped_bytes) == (journal.outcomes, 0)

    fuzz(check)


def test_odd_lines_with_a_fitting_checksum_are_read_or_refused(tmp_path):
    def check(seed):
        record = odd(RECORD, seed)
        path = tmp_path / "journal"
        path.write_bytes(HEADER + sealed(record))
        journal = read_or_refuse(lambda: resume(path))
        if journal is not None:
            with Journal(tmp_path / "copy", IDENTITY, resume=True) as copied:
                for cell, outcome in journal.outcomes.items():
                    copied.append(cell, outcome)

    fuzz(check)


def test_odd_requests_with_a_fitting_checksum_are_read_or_refused(tmp_path):
    def check(seed):
        record = odd({"asked": ["q", "a", 0]}, seed)
        (tmp_path / "journal").write_bytes(HEADER + sealed(record))
        read_or_refuse(lambda: resume(tmp_path / "journal"))

    fuzz(check)


def test_odd_headers_are_read_or_refused(tmp_path):
    def check(seed):
        record = odd({"journal": SCHEMA_VERSION, **IDENTITY}, seed)
        (tmp_path / "journal").write_bytes(sealed(record))
        read_or_refuse(lambda: resume(tmp_path / "journal"))

    fuzz(check)


def test_the_checked_records_are_sound(tmp_path):
    (tmp_path / "journal").write_bytes(HEADER + sealed(RECORD))
    assert len(resume(tmp_path / "journal").outcomes) == 1


def test_a_damaged_first_line_is_replaced_by_that_of_a_journal_of_the_same(tmp_path):
    whole = content_of(tmp_path)
    path = tmp_path / "journal"
    path.write_bytes(b"x" + whole)
    assert read_or_refuse(lambda: resume(path)) is None
    Journal(tmp_path / "scratch", IDENTITY, resume=False).close()
    path.write_bytes((tmp_path / "scratch").read_bytes() + path.read_bytes().partition(b"\n")[2])
    assert resume(path).outcomes == OUTCOMES
