"""Journals that are damaged: what is read of them was written, or they are refused, and left as they were."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from random import Random

import journal_files
from mutations import damaged, fuzz, read_or_refuse

from llm_routing_env.backends.journal import Journal
from llm_routing_env.backends.journal_file import Kept
from llm_routing_env.tables.outcome import Outcome

REQUESTS = [number.to_bytes(16) for number in range(6)]
KEPT = {
    (request, repeat): Outcome(f"naïve {repeat}\n" * 9, 3, 4, 0.1, 1 / 3, None, error, 0.2, 1, 0.5, "stop", 1, 2)
    for request in REQUESTS
    for repeat, error in ((0, None), (1, "HTTP 400: no"))
}
IDENTITIES = {"a": {"model": "a", "temperature": 0, "messages": []}}


def write(path: Path, killed: Path | None = None) -> bytes:
    """Write a journal of twelve outcomes and return its file; `killed` gets what a killed process would leave."""

    async def fill(journal: Journal) -> None:
        for (request, repeat), outcome in KEPT.items():
            attempt = await journal_files.announced(journal, 1.0)
            await journal.append(Kept(request, repeat, "q", "a", outcome), attempt, 0.25)

    with Journal(path, resume=False) as journal:
        journal.begin_run({"versions": {}}, IDENTITIES)
        asyncio.run(fill(journal))
        for suffix in ("", "-wal") if killed else ():
            shutil.copy(f"{path}{suffix}", f"{killed}{suffix}")
    return path.read_bytes()


def found(path: Path) -> tuple[dict[tuple[bytes, int], Outcome], int]:
    """Return what a journal gives: by looking for each outcome, and by reading them all, which must agree."""

    async def look(journal: Journal) -> dict[tuple[bytes, int], Outcome]:
        looked = {key: await journal.find(*key) for key in KEPT}
        return {key: outcome for key, outcome in looked.items() if outcome is not None}

    with Journal(path, resume=True) as journal:
        journal.begin_run({}, IDENTITIES)
        journal.spent()
        outcomes = asyncio.run(look(journal))
        assert journal.outcomes_of(REQUESTS).items() == outcomes.items()
        listed: dict[tuple[bytes, int], bool] = {}
        journal.each(lambda request, repeat, failed, load: listed.update({(request, repeat): failed}))
        assert listed == {key: outcome.error is not None for key, outcome in outcomes.items()}
        return outcomes, journal.n_damaged


def refused_or_found(path: Path) -> tuple[dict[tuple[bytes, int], Outcome], int] | None:
    try:
        return read_or_refuse(lambda: found(path))
    except OSError:  # such as a page beyond the end of the file
        return None


def overwritten(whole: bytes, seed: int) -> bytes:
    """Return the content with some bytes changed, as disks do it: none is lost, so that most pages stay as they are."""
    rng, content = Random(seed), bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 8))):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


def test_damaged_journals_give_no_outcome_that_was_not_written_or_are_refused_and_left_as_they_are(tmp_path: Path):
    whole = write(tmp_path / "whole")
    path = tmp_path / "journal"
    ends = Counter[str]()

    def check(seed: int) -> None:
        is_overwritten = seed % 2 == 0
        content = overwritten(whole, seed) if is_overwritten else damaged(whole, seed)
        path.write_bytes(content)
        result = refused_or_found(path)
        assert {file.name for file in tmp_path.iterdir()} == {"whole", "journal"}
        if result is None:
            ends["refused"] += 1
            assert path.read_bytes() == content
            return
        outcomes, n_damaged = result
        assert outcomes.items() <= KEPT.items()
        ends["asked again and said" if n_damaged else "whole" if len(outcomes) == len(KEPT) else "asked again"] += 1
        if is_overwritten:
            assert len(outcomes) + n_damaged == len(KEPT)

    fuzz(check)
    assert min(ends["refused"], ends["asked again and said"], ends["whole"]) > 50, ends
    print(ends)


def test_what_a_killed_process_left_gives_no_outcome_that_was_not_written_however_it_is_damaged(tmp_path: Path):
    """Its last outcomes are in a log beside the file; opening moves them into it, so that neither stays as it was."""
    write(tmp_path / "whole", killed=tmp_path / "killed")
    path, log = tmp_path / "journal", tmp_path / "journal-wal"
    whole, whole_log = (tmp_path / "killed").read_bytes(), (tmp_path / "killed-wal").read_bytes()
    n_found = []
    for seed in range(200):
        path.write_bytes(whole if seed % 4 else damaged(whole, seed))
        log.write_bytes((overwritten if seed % 2 else damaged)(whole_log, seed))
        result = refused_or_found(path)
        if result is not None:
            assert result[0].items() <= KEPT.items()
            n_found.append(len(result[0]))
        path.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
    assert len(set(n_found)) > 3


def test_the_checked_journal_is_sound(tmp_path: Path):
    write(tmp_path / "journal", killed=tmp_path / "killed")
    assert found(tmp_path / "journal") == (KEPT, 0)
    assert found(tmp_path / "killed") == (KEPT, 0)
