"""What a journal's file holds, read by SQLite alone and not by the code under test."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from llm_routing_env.backends.journal import Journal


class Row(NamedTuple):
    """One outcome."""

    query_id: str
    llm: str
    repeat: int
    response: str
    error: str | None


@contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a journal and of what a killed process had not yet moved into it."""
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("", "-wal"):
            if (file := path.with_name(path.name + suffix)).exists():
                shutil.copy(file, Path(folder, f"journal{suffix}"))
        with closing(sqlite3.connect(Path(folder, "journal"))) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            yield connection


def read(path: Path, query: str) -> list[Any]:
    """Return what a query finds in a journal; nothing in one that is not there, or has no tables yet."""
    if not path.exists():
        return []
    with copied(path) as connection:
        if not connection.execute("SELECT * FROM sqlite_master").fetchall():
            return []
        return connection.execute(query).fetchall()


def rows(path: Path) -> list[Row]:
    """Return a journal's outcomes, in the order in which they were written."""
    found = read(path, "SELECT query_id, llm, repeat, response, error FROM outcomes ORDER BY number")
    return [Row(*row) for row in found]


def n_open(path: Path) -> int:
    """Return how many of a journal's requests are not over."""
    return len(read(path, "SELECT 1 FROM attempts WHERE NOT is_over"))


async def announced(journal: Journal, worst_usd: float) -> int:
    """Announce a request; return its number."""
    attempt = journal.next_attempt()
    await journal.announce(attempt, worst_usd)
    return attempt
