"""The journal: every outcome that was paid for, on disk before it is used, and every request before it is sent.

An SQLite file. Whatever is to be written at the same time is written in one transaction, which waits for the disk if
there is an outcome in it; a request is announced without waiting, so that a process that is killed leaves word of it,
and only a machine that loses power may not.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from llm_routing_env.backends import journal_file
from llm_routing_env.backends.group_commits import GroupCommits
from llm_routing_env.backends.journal_file import COLUMNS, KEPT, Kept, sound
from llm_routing_env.pools.load_curve import MOST_IN_FLIGHT
from llm_routing_env.pools.provenance import told_identity
from llm_routing_env.tables.outcome import Outcome


class Spent(NamedTuple):
    """What a journal's requests cost.

    Attributes:
        usd: US dollars; a request that was never heard of again counts at the most that it could cost.
        n_requests: Requests sent.
        n_lost: Requests never heard of again: in flight when a run was stopped.
    """

    usd: float
    n_requests: int
    n_lost: int


class Journal:
    """A journal that is open; one process at a time may have it.

    Attributes:
        path: Its file.
        n_damaged: Rows that were damaged when it was opened; their outcomes are asked for again.
    """

    def __init__(self, path: str | Path, *, resume: bool, must_exist: bool = False) -> None:
        """Begin a journal, or with `resume` go on with one that is there.

        Args:
            path: Its file.
            resume: Whether it may be there.
            must_exist: Whether it must be, so that none is begun.

        Raises:
            ValueError: The file exists and `resume` is false, is in use, or is no journal.
            OSError: The file cannot be written, as on a full disk.
        """
        self.path, self._run = Path(path), 0
        journal_file.check_place(self.path)
        opened = partial(journal_file.open_file, self.path, resume=resume)
        self._commits = GroupCommits(
            partial(opened, must_exist=True) if must_exist else opened, partial(journal_file.explained, self.path)
        )
        self.n_damaged: int = self._commits.wait(journal_file.n_damaged)
        last = self._commits.wait(lambda connection: connection.execute(_LAST_ATTEMPT).fetchone()[0])
        self._attempts: Iterator[int] = count(last + 1)

    def begin_run(
        self, facts: Mapping[str, Any], identities: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Mapping[str, Any]]:
        """Note under which circumstances outcomes come from now on.

        Args:
            facts: JSON-plain: pool, prices, concurrency, versions, hardware.
            identities: For each LLM, by name, what decides its answers.

        Returns:
            The identities by which the journal knows its outcomes: those of earlier versions may hold secrets.

        Raises:
            ValueError: The journal has outcomes of an LLM of the same name that answered otherwise, or of no LLM here.
        """

        def do(connection: sqlite3.Connection) -> tuple[int, dict[str, Mapping[str, Any]]]:
            known = journal_file.identities(connection, self.path)
            self._require_same(known, identities)
            new = [(name, json.dumps(identity)) for name, identity in identities.items() if name not in known]
            connection.executemany("INSERT INTO llms VALUES (?, ?)", new)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            values = (now, json.dumps(facts))
            run = connection.execute("INSERT INTO runs (began_at, facts) VALUES (?, ?)", values).lastrowid or 0
            return run, {name: known.get(name, identity) for name, identity in identities.items()}

        found: dict[str, Mapping[str, Any]]
        self._run, found = self._commits.wait(do)
        return found

    def _require_same(self, known: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        if known and not known.keys() & given.keys():
            raise ValueError(
                f"{self.path} is the journal of another pool: it has outcomes of {sorted(known)}, the pool has "
                f"{sorted(given)}. Record into another file."
            )
        for name in sorted(known.keys() & given.keys()):
            said, meant = told_identity(known[name]), json.loads(json.dumps(given[name]))
            for key in sorted(said | meant):
                before, now = said.get(key), meant.get(key)
                if before != now:
                    raise ValueError(
                        f"{self.path} has outcomes of {name!r} with {key} {before!r}, now it is {now!r}, which answers "
                        "otherwise: give the LLM another name, or record into another file."
                    )

    def next_attempt(self) -> int:
        """Return a number for a request; no other one gets it."""
        return next(self._attempts)

    async def announce(self, attempt: int, worst_usd: float) -> None:
        """Write that a request is about to be sent that costs so much at most."""
        insert = "INSERT INTO attempts (attempt, run, paid_usd, is_over, crc32) VALUES (?, ?, ?, 0, ?)"
        values = (attempt, self._run, float(worst_usd), journal_file.checksum(float(worst_usd), 0))
        await self._commits.do(lambda connection: connection.execute(insert, values))

    def settle(self, attempt: int, paid_usd: float, *, was_sent: bool) -> None:
        """Write what a request did cost that gave no outcome, or that it was never sent; nobody waits for it."""
        if was_sent:
            self._commits.post(partial(_settle, attempt=attempt, paid_usd=paid_usd))
        else:
            delete = "DELETE FROM attempts WHERE attempt = ?"
            self._commits.post(lambda connection: connection.execute(delete, (attempt,)))

    async def append(self, kept: Kept, attempt: int | None, paid_usd: float) -> None:
        """Write an outcome, and what its last request cost, and wait until the disk has it.

        Raises:
            OSError: It cannot be written; what was written before is safe.
        """
        values = journal_file.stored_values(kept)
        marks = ", ".join("?" * (len(KEPT) + 2))

        def do(connection: sqlite3.Connection) -> None:
            if attempt is not None:
                _settle(connection, attempt, paid_usd)
            row = (self._run, *values, journal_file.checksum(*values))
            connection.execute(f"INSERT INTO outcomes (run, {COLUMNS}, crc32) VALUES ({marks})", row)

        await self._commits.do(do, is_durable=True)

    async def find(self, request: bytes, repeat: int) -> Outcome | None:
        """Return the last outcome of a request's n-th repeat; None if there is none."""
        where = "WHERE request = ? AND repeat = ? ORDER BY number DESC"
        kept = await self._commits.do(lambda connection: next(sound(connection, where, (request, repeat)), None))
        return None if kept is None else journal_file.as_kept(kept).outcome

    def spent(self) -> Spent:
        """Return what all of the journal's requests cost, those of earlier runs included.

        Raises:
            ValueError: That is damaged.
        """

        def do(connection: sqlite3.Connection) -> Spent:
            usd, n_requests, n_over = 0.0, 0, 0
            for paid_usd, is_over in journal_file.paid(connection, self.path):
                usd, n_requests, n_over = usd + paid_usd, n_requests + 1, n_over + is_over
            return Spent(usd, n_requests, n_requests - n_over)

        spent: Spent = self._commits.wait(do)
        return spent

    def each(self, note: Callable[[bytes, int, bool, int], None]) -> None:
        """Call `note` for every outcome, in the order in which they came; a later one replaces an earlier.

        Args:
            note: Takes request, repeat, whether it failed, and how many requests were in flight in its run; 0 where
                that is not legible.
        """

        def do(connection: sqlite3.Connection) -> None:
            loads = {run: _load(facts) for run, facts in connection.execute("SELECT run, facts FROM runs")}
            for run, (request, repeat, *rest) in journal_file.sound_of_runs(connection, "ORDER BY number"):
                note(request, repeat, rest[_ERROR - 2] is not None, loads.get(run, 0))

        self._commits.wait(do)

    def outcomes_of(self, requests: Sequence[bytes]) -> dict[tuple[bytes, int], Outcome]:
        """Return every outcome of some requests, by request and repeat."""
        where = f"WHERE request IN ({', '.join('?' * len(requests))}) ORDER BY number"
        rows = self._commits.wait(lambda connection: list(sound(connection, where, requests)))
        return {(kept.request, kept.repeat): kept.outcome for kept in map(journal_file.as_kept, rows)}

    def rows(self) -> list[dict[str, Any]]:
        """Return everything that is known of every outcome, in the order in which they came, for other programs."""
        rows = self._commits.wait(lambda connection: list(sound(connection, "ORDER BY number")))
        return [dict(zip(KEPT, row, strict=True)) for row in rows]

    def identities(self) -> dict[str, dict[str, Any]]:
        """Return what decided the answers of each LLM, by name."""
        found: dict[str, dict[str, Any]] = self._commits.wait(
            lambda connection: journal_file.identities(connection, self.path)
        )
        return found

    def close(self) -> None:
        """Write what is waiting and close the file; may be called twice."""
        self._commits.close()

    def __enter__(self) -> "Journal":
        """Return the open journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


_ERROR = KEPT.index("error")
_LAST_ATTEMPT = "SELECT coalesce(max(attempt), 0) FROM attempts"


def _load(facts: Any) -> int:
    try:
        load = json.loads(facts)["concurrency"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return 0
    return load if type(load) is int and 0 < load <= MOST_IN_FLIGHT else 0


def _settle(connection: sqlite3.Connection, attempt: int, paid_usd: float) -> None:
    values = (float(paid_usd), journal_file.checksum(float(paid_usd), 1), attempt)
    connection.execute("UPDATE attempts SET paid_usd = ?, is_over = 1, crc32 = ? WHERE attempt = ?", values)
