"""`pickllm record`, a real process, killed again and again, out of space, and raced: nothing lost, nothing paid twice.

Every answer of the server has a number of its own, so each one that was paid for is found in the journal, or was in
flight when the process was killed.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import forked_command
import journal_files
import killing
import live_session
import numpy as np
import pytest
from counting_server import CountingServer, counting_server
from processes import default_signals, wait_until
from tables import write_random_table

from llm_routing_env.pools.pool import load_pool
from llm_routing_env.recording import record
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

LLMS = ("a", "b")
REPEATS = 2
CONCURRENCY = 4
# Requests under way: each LLM has as many as there are places, of which some are answered and not yet written.
MOST_AT_ONCE = len(LLMS) * CONCURRENCY
MOST_ANSWERS = 12  # of a run before it is killed
START_S = 0.05  # about what a process takes to its first request


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


class Recorder:
    """Starts `pickllm record` on one pool, one set of queries and one table."""

    def __init__(self, folder: Path, base_url: str, n_queries: int, *, concurrency: int = CONCURRENCY) -> None:
        llm = f'base_url = "{base_url}"\ninput_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n'
        tables = "".join(f'[[llm]]\nname = "{name}"\n{llm}' for name in LLMS)
        (folder / "pool.toml").write_text(f'name = "counted"\n{tables}')
        asked = (Query(f"q{n}", "art", "test" if n else "train", f"Question {n}?", ("yes",)) for n in range(n_queries))
        QuerySet(asked).write(folder / "queries.jsonl")
        counts = ("--repeats", str(REPEATS), "--concurrency", str(concurrency))
        self.arguments = ("record", "pool.toml", "queries.jsonl", "out.parquet", "--yes", *counts)
        self.folder, self.n_cells = folder, n_queries * len(LLMS) * REPEATS
        self.table, self.journal = folder / "out.parquet", folder / "out.parquet.journal.sqlite"

    def start(self, *options: str, prepare: Callable[[], None] = int) -> BaseProcess:
        """Start it within milliseconds."""
        return forked_command.start([*self.arguments, *options], self.folder, self.folder / "printed", prepare)

    def run(self, *options: str, **how: Any) -> subprocess.CompletedProcess[str]:
        """Run it to its end, as from a shell."""
        command = [sys.executable, "-m", "llm_routing_env.cli", *self.arguments, *options]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, **how)

    def kept(self) -> dict[tuple[str, str, int], str]:
        """Return what the journal holds, read without the code under test: the response of each cell."""
        rows = journal_files.rows(self.journal)
        kept = {(row.query_id, row.llm, row.repeat): row.response for row in rows}
        assert len(kept) == len(rows), "a cell was recorded twice"
        return kept


def kill_at_random(process: BaseProcess, server: CountingServer, rng: np.random.Generator) -> None:
    """Kill a run after a random number of answers and a random moment more, or while it starts."""
    if rng.random() < 0.1:
        time.sleep(START_S * rng.random())
    else:
        n_answers = int(rng.integers(1, MOST_ANSWERS))
        while len(server.texts(server.run)) < n_answers and process.is_alive():
            time.sleep(0.0005)
        time.sleep(0.01 * rng.random())
    assert process.is_alive(), "it ended before it was killed"
    process.kill()
    process.join()


@pytest.mark.parametrize(
    ("n_kills", "concurrency"),
    [
        (20, CONCURRENCY),
        pytest.param(100, CONCURRENCY, marks=pytest.mark.torture),
        pytest.param(100, 1, marks=pytest.mark.torture),
    ],
)
def test_nothing_is_lost_and_nothing_paid_twice_but_what_was_in_flight(tmp_path, server, n_kills, concurrency):
    recorder = Recorder(tmp_path, server.base_url, 3 * n_kills, concurrency=concurrency)
    rng = np.random.default_rng(n_kills)
    kept: dict[tuple[str, str, int], str] = {}
    in_flight: set[str] = set()  # answers that nobody kept
    for server.run in range(n_kills):
        kill_at_random(recorder.start("--resume"), server, rng)
        server.settle()
        before, kept = kept, recorder.kept()
        assert before.items() <= kept.items()
        lost = set(server.texts(server.run)) - set(kept.values())
        assert len(lost) <= len(LLMS) * concurrency
        in_flight |= lost
    server.run = n_kills
    done = recorder.run("--resume")
    assert done.returncode == 0, done.stderr
    kept = recorder.kept()
    assert len(kept) == recorder.n_cells
    assert in_flight.isdisjoint(kept.values())
    # Every answer ever given is kept once, or was in flight at a kill: no other was paid for twice.
    assert sorted(server.texts()) == sorted([*kept.values(), *in_flight])
    table = OutcomeTable.read(recorder.table)
    found = {
        (query.query_id, llm, repeat): table.text("response", row, column, repeat)
        for row, query in enumerate(table.queries)
        for column, llm in enumerate(table.llm_names)
        for repeat in range(REPEATS)
    }
    assert found == kept
    reported = int(done.stdout.partition(" requests asked again")[0].rpartition(" ")[2])
    assert len(in_flight) <= reported <= concurrency * n_kills
    assert reported == journal_files.n_open(recorder.journal)
    print(
        f"\n{n_kills} kills, concurrency {concurrency}: {len(kept)} outcomes, 0 lost, {len(server.answers)} answers "
        f"paid, {len(in_flight)} of them twice (in flight at a kill), {reported} reported as asked again"
    )


@pytest.mark.parametrize(
    ("step", "n_queries", "concurrency"), [(7, 1, 1), pytest.param(1, 2, 3, marks=pytest.mark.torture)]
)
def test_a_kill_between_any_two_statements_loses_nothing(tmp_path, server, step, n_queries, concurrency):
    """Killed at its first statement, its second, ... until one run has fewer: each time in a folder of its own."""
    number = n_lost = 0
    for number in range(1, 1000, step):
        server.run, folder = number, tmp_path / str(number)
        folder.mkdir()
        recorder = Recorder(folder, server.base_url, n_queries, concurrency=concurrency)
        process = recorder.start("--resume", prepare=partial(killing.at_statement, number))
        process.join(60)
        server.settle()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL, (folder / "printed").read_text()
        kept, answered = recorder.kept(), server.texts(number)
        assert set(kept.values()) <= set(answered)
        # Whatever was answered is kept, or was in flight and written down as such.
        lost = set(answered) - set(kept.values())
        assert len(lost) <= journal_files.n_open(recorder.journal) <= MOST_AT_ONCE
        n_lost += len(lost)
        done = record(
            load_pool(folder / "pool.toml"),
            QuerySet.read(folder / "queries.jsonl"),
            recorder.table,
            repeats=REPEATS,
            resume=True,
        )
        assert done.table is not None
        assert kept.items() <= recorder.kept().items()
        assert len(server.texts(number)) == recorder.n_cells + len(lost)
        assert done.n_lost == journal_files.n_open(recorder.journal) >= len(lost)
    assert process.exitcode == 0
    assert number > 20 + 8 * recorder.n_cells
    print(f"\n{number - 1} statements, killed before each {step}th: {n_lost} answers lost in flight, no other")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_what_is_kept_and_going_on_asks_for_the_rest(tmp_path, server, number, code):
    recorder = Recorder(tmp_path, server.base_url, 3)
    server.status = lambda n, llm, prompt: server.may_answer.clear() or 200 if n == 6 else 200
    process = subprocess.Popen(
        [sys.executable, "-m", "llm_routing_env.cli", *recorder.arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,
    )
    assert wait_until(lambda: len(server.requests) >= 7 and len(recorder_rows(recorder)) == len(server.answers), 60)
    os.kill(process.pid, number)
    _, said = process.communicate(timeout=60)
    server.may_answer.set()
    server.settle()
    assert process.returncode == code
    kept = recorder.kept()
    (line,) = complaint(said)
    begin, _, end = line.partition(f" of {recorder.n_cells} outcomes are kept in out.parquet.journal.sqlite: ")
    assert end == "the same command with --resume (resume=True) goes on."
    # What was just written, and nobody has counted yet, is kept too.
    assert len(kept) - CONCURRENCY <= int(begin.removeprefix("Interrupted. ")) <= len(kept)
    assert 7 <= len(kept) < recorder.n_cells
    assert_resumes(recorder, server, kept)


def recorder_rows(recorder: Recorder) -> list[journal_files.Row]:
    return journal_files.rows(recorder.journal)


def complaint(stderr: str) -> list[str]:
    """Return what a command said, without what it would cost."""
    return [line for line in stderr.splitlines() if not line.startswith("Live LLMs get ")]


def assert_one_line(done: subprocess.CompletedProcess[str], message: str) -> None:
    assert done.returncode == 2, done.stderr
    assert len(complaint(done.stderr)) == 1, done.stderr
    assert message in done.stderr


def assert_resumes(recorder: Recorder, server: CountingServer, kept: dict[tuple[str, str, int], str]) -> None:
    """Check that the journal is intact, and that going on asks for what it lacks and nothing else."""
    assert recorder.kept() == kept
    n_answers = len(server.answers)
    done = recorder.run("--resume")
    assert done.returncode == 0, done.stderr
    assert kept.items() <= recorder.kept().items()
    assert len(server.answers) - n_answers == recorder.n_cells - len(kept)


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))


def test_a_journal_that_may_not_grow_ends_in_one_line_and_goes_on_later(tmp_path, server):
    recorder = Recorder(tmp_path, server.base_url, 20)
    stopped = recorder.run(preexec_fn=limit_files)
    assert_one_line(stopped, "cannot be written: disk I/O error. Its outcomes are safe; make room and go on")
    kept = recorder.kept()
    assert 0 < len(kept) < recorder.n_cells
    server.settle()
    assert len(server.answers) - len(kept) <= MOST_AT_ONCE
    assert_resumes(recorder, server, kept)


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_ends_in_one_line_and_goes_on_once_there_is_room(small_disk, server):
    recorder = Recorder(small_disk, server.base_url, 20)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(100 * 1024))
    stopped = recorder.run()
    assert_one_line(stopped, "cannot be written: database or disk is full. Its outcomes are safe; make room and go on")
    kept = recorder.kept()
    assert 0 < len(kept) < recorder.n_cells
    still_full = recorder.run("--resume")
    assert still_full.returncode == 2
    assert len(complaint(still_full.stderr)) == 1, still_full.stderr
    assert kept.items() <= recorder.kept().items()
    kept = recorder.kept()
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    assert_resumes(recorder, server, kept)


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_a_second_writer_is_refused_in_one_line_and_disturbs_nothing(tmp_path, server, options):
    recorder = Recorder(tmp_path, server.base_url, 3)
    server.may_answer.clear()
    first = recorder.start()
    assert wait_until(lambda: server.in_flight)
    second = recorder.run(*options)
    server.may_answer.set()
    first.join(60)
    assert_one_line(second, "this or another process is recording into this journal")
    assert first.exitcode == 0, (tmp_path / "printed").read_text()
    assert len(recorder.kept()) == len(server.answers) == recorder.n_cells


def kept_by_session(path: Path) -> list[str]:
    """Return the responses in a live session's journal, read without the code under test."""
    return [row.response for row in journal_files.rows(path)]


@pytest.mark.torture
def test_a_live_session_that_is_killed_loses_nothing_and_pays_twice_only_for_what_was_in_flight(tmp_path, server):
    n_kills, n_answers = 20, live_session.N_ENVS * live_session.N_STEPS
    write_random_table(tmp_path)
    llm = f'base_url = "{server.base_url}"\ninput_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 2.0\n'
    tables = "".join(f'[[llm]]\nname = "llm-{number}"\n{llm}' for number in range(4))
    (tmp_path / "pool.toml").write_text(f'name = "counted"\nmax_retries = 0\n{tables}')
    rng, journal = np.random.default_rng(0), tmp_path / "journal"
    kept: list[str] = []
    in_flight: set[str] = set()  # answers that nobody kept
    for server.run in range(n_kills):
        kill_at_random(live_session.start(tmp_path), server, rng)
        server.settle()
        before, kept = kept, kept_by_session(journal)
        assert kept[: len(before)] == before
        lost = set(server.texts(server.run)) - set(kept)
        assert len(lost) <= live_session.N_ENVS
        in_flight |= lost
    server.run = n_kills
    done = live_session.run(tmp_path)
    kept = kept_by_session(journal)
    assert len(kept) == len(set(kept)) == n_answers
    assert in_flight.isdisjoint(kept)
    # Every answer ever given is kept and used once, or was in flight at a kill.
    assert sorted(server.texts()) == sorted([*kept, *in_flight])
    assert sorted(text for step in done["said"] for text in step) == sorted(kept)
    assert done["spent_usd"] >= len(server.answers) * 14e-6 - 1e-9
    print(
        f"\n{n_kills} kills of {live_session.N_ENVS} live sessions: {n_answers} outcomes, 0 lost, "
        f"{len(server.answers)} answers paid, {len(in_flight)} of them twice (in flight at a kill)"
    )
