"""A recording waits for LLMs that are down, busy or slow, and ends where waiting is in vain: no outcome is made up."""

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import journal_files
import pytest
from faulty_server import FaultyServer, faulty_server, pool_of

from llm_routing_env.backends import asked_llm, lanes
from llm_routing_env.backends.budget import Budget
from llm_routing_env.backends.http_endpoints import HTTPAnswerer
from llm_routing_env.pools.pool import Pool
from llm_routing_env.recording import Recording, record
from llm_routing_env.tables.queries import Query, QuerySet

QUERIES = QuerySet(Query(f"q{n}", "art", "test" if n else "train", f"Question {n}?", ("Paris.",)) for n in range(40))


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "PAUSE_S", 0.02)
    monkeypatch.setattr(lanes, "FIRST_BUSY_S", 0.002)
    monkeypatch.setattr(asked_llm, "FIRST_RETRY_S", 0.002)
    monkeypatch.setattr(asked_llm, "LONGEST_RETRY_S", 0.02)


def recorded(server: FaultyServer, folder: Path, *models: str, deadline_s: float = 5.0, **options: Any) -> Recording:
    options = {"repeats": 1, "concurrency": 8, **options}
    return record(pool_of(server.base_url, *models, deadline_s=deadline_s), QUERIES, folder / "t.parquet", **options)


def again(fault: str, n_times: int) -> str:
    return " then ".join([fault] * n_times + ["good"])


@pytest.mark.parametrize("fault", ["503", "500", "reset", "hangs up", "429", "429 retry-after 0", "408"])
def test_an_outage_is_waited_out_and_not_written_down(server, tmp_path: Path, fault: str):
    done = recorded(server, tmp_path, again(fault, 20))
    assert done.table is not None
    assert (done.n_recorded, done.n_failed, done.stopped) == (40, 0, "")
    assert len(server.requests) == 60
    assert done.table.accuracies["final_answer"].mean() == 1.0


def test_a_server_that_hangs_for_a_while_loses_nothing(server, tmp_path: Path):
    done = recorded(server, tmp_path, again("slow", 10), deadline_s=0.1)
    assert (done.n_recorded, done.n_failed) == (40, 0)


def test_a_server_that_is_started_again_loses_nothing(tmp_path: Path):
    with faulty_server() as first:
        port, url = first.server_address[1], first.base_url
        results: list[Recording] = []
        pool = pool_of(url, "a little slow")
        recording = threading.Thread(
            target=lambda: results.append(record(pool, QUERIES, tmp_path / "t", repeats=1, concurrency=2))
        )
        recording.start()
        while len(first.requests) < 5:
            time.sleep(0.005)
        first.kill()
        time.sleep(0.2)
    with faulty_server(port):
        recording.join(30)
    assert (results[0].n_recorded, results[0].n_failed) == (40, 0)


def test_a_slow_llm_with_few_places_fails_nobody_and_holds_up_no_other(server, tmp_path: Path):
    """50 ms an answer and one place for 40 queries: 2 s in all, with a deadline of 0.4 s."""
    slow, good = pool_of(server.base_url, "a little slow", "good", deadline_s=0.4).llms
    pool = replace(pool_of(server.base_url, "good"), llms=(replace(slow, max_in_flight=1), good), deadline_s=0.4)
    finished: list[float] = []

    def note(done: int, total: int, spent_usd: float) -> None:
        finished.append(time.monotonic())

    done = record(pool, QUERIES, tmp_path / "t", repeats=1, concurrency=16, on_progress=note)
    assert (done.n_recorded, done.n_failed) == (80, 0)
    assert server.most_in_flight_of["a little slow"] == 1
    # The fast one's 40 do not wait for the slow one's: half of all is there long before the end.
    assert finished[39] - finished[0] < 0.5 * (finished[-1] - finished[0])


@pytest.mark.parametrize(
    ("fault", "most_requests", "said"),
    [
        ("401", 24, "HTTP 401"),  # eight in flight, and what takes their places before it is said
        ("404", 24, "HTTP 404"),
        ("redirects", 24, "HTTP 307"),
        ("400", 20, "10 failures in a row, the last: HTTP 400"),
        ("html", 16, "failures in a row, the last: not a chat completion: <!doctype html>"),
        ("no usage", 16, "failures in a row, the last: the response has no usage, so its tokens and cost are unknown"),
        ("429 retry-after 900", 8, "it asks to be left alone for 900 s: HTTP 429"),
    ],
)
def test_what_will_not_pass_ends_the_recording_with_its_reason(
    server, tmp_path: Path, fault: str, most_requests: int, said: str
):
    done = recorded(server, tmp_path, fault)
    assert done.table is None
    assert not (tmp_path / "t.parquet").exists()
    assert f"{fault!r} was given up: " in done.stopped
    assert said in done.stopped
    assert len(server.requests) <= most_requests


def test_an_llm_that_stays_down_ends_the_recording(server, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(asked_llm, "MOST_ROUNDS", 8)
    for fault in ("503", "429"):
        done = recorded(server, tmp_path, fault, resume=True)
        assert f"{fault!r} was given up: 8 failures in a row, the last: HTTP {fault}" in done.stopped
        assert (done.n_recorded, done.table) == (0, None)
        (tmp_path / "t.parquet.journal.sqlite").unlink()


def test_what_others_answered_meanwhile_is_kept(server, tmp_path: Path):
    done = recorded(server, tmp_path, "good", "401", concurrency=4)
    assert (done.n_failed, done.n_recorded) == (0, 40)
    assert "'401' was given up" in done.stopped


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("number", [0, 3, 39])
def test_a_query_that_an_llm_fails_again_and_again_is_its_own_fault(
    server, tmp_path: Path, number: int, concurrency: int
):
    """The LLM answers all the others, so it is not down; of the last one nobody knows: it is not asked for ever."""
    server.poison = f"Question {number}?"
    done = recorded(server, tmp_path, "good", concurrency=concurrency)
    assert len(server.requests) <= 40 + asked_llm.MOST_ROUNDS + asked_llm.PATIENT_RETRIES
    assert (done.n_recorded, done.n_failed, done.stopped) == (40, 1, "")
    assert done.failed["good"] == (1, 'HTTP 502: {"error": "as told"}')
    assert done.table is None
    allowed = recorded(server, tmp_path, "good", resume=True, allow_errors=True)
    assert allowed.table is not None
    assert allowed.table.failed.sum() == 1
    server.poison = ""
    (tmp_path / "t.parquet").unlink()
    mended = recorded(server, tmp_path, "good", resume=True, retry_errors=True)
    assert (mended.n_failed, mended.table is not None) == (0, True)


def test_an_endpoint_that_charges_more_stops_the_recording_with_one_line(server, tmp_path: Path):
    """100 tokens read and 10 written, of at most 271 and 1: within the worst case; of at most 24 it is not."""
    done = recorded(server, tmp_path, "cached", budget=Budget(max_usd=0.002), concurrency=32)
    charged_usd = (2000 * 0.5 + 5 * 2.0) / 1e6
    assert done.spent_usd == pytest.approx(charged_usd)  # the first one alone shows it
    assert done.stopped.startswith("the budget of $0.002 is used up")
    assert "'cached' charged $0.00101 for a request of at most" in done.warnings[0]
    (tmp_path / "t.parquet.journal.sqlite").unlink()
    done = recorded(server, tmp_path, "cached", budget=Budget(max_usd=0.0005), concurrency=32)
    assert done.n_requests == 1
    assert done.stopped.startswith(f"the budget of $0.0005 is exceeded by ${charged_usd - 0.0005:g}; 'cached' charged")


def test_a_start_that_fails_leaves_no_journal(tmp_path: Path):
    with pytest.raises(ValueError, match="no `model` to load"):
        record(pool_of("http://127.0.0.1:1/v1", "a"), QUERIES, tmp_path / "t", backend="vllm-inprocess")
    with pytest.raises(ValueError, match="MY_KEY"):
        record(pool_of("http://127.0.0.1:1/v1", "a", api_key_env="MY_KEY"), QUERIES, tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


def test_optional_scorers_are_checked_before_anything_is_sent(server, tmp_path: Path):
    with pytest.raises(ValueError, match="Unknown scorer"):
        recorded(server, tmp_path, "good", scorers=("final_answer", "no_such"))
    assert not server.requests
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stream", [False, True])
def test_answers_that_are_not_counted_are_kept_and_are_soon_too_many(server, tmp_path: Path, stream: bool):
    """Each is paid for: of 40 queries, one at a time, the LLM counts as down after five."""
    done = recorded(server, tmp_path, "no usage", stream=stream, concurrency=1)
    assert (done.n_recorded, done.n_failed, len(server.requests)) == (5, 5, 5)
    assert [row.response for row in journal_files.rows(done.journal)] == ["Paris."] * 5
    worst_usd = ((len("Question 0?") + 256) * 0.5 + 24 * 2.0) / 1e6
    assert done.spent_usd == pytest.approx(5 * worst_usd)


def test_a_free_llm_need_not_count(server, tmp_path: Path):
    (llm,) = pool_of(server.base_url, "no usage").llms
    free = Pool("free", (replace(llm, input_price_usd_per_mtok=0.0, output_price_usd_per_mtok=0.0),))
    done = record(free, QUERIES, tmp_path / "t.parquet", repeats=1, concurrency=8)
    assert (done.n_recorded, done.n_failed, done.stopped) == (40, 0, "")


@pytest.mark.parametrize("n_queries", [1, 2])
def test_a_request_that_was_never_sent_is_no_outcome(tmp_path: Path, monkeypatch, n_queries: int):
    """Nobody listens, and at the end only one query is left to ask: it is not the query's fault."""
    monkeypatch.setattr(asked_llm, "MOST_ROUNDS", 8)
    with socket.socket() as taken:  # bound, and nobody listens
        taken.bind(("127.0.0.1", 0))
        pool = pool_of(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "good")
        done = record(pool, QUERIES[:n_queries], tmp_path / "t.parquet", repeats=1)
    assert (done.n_recorded, done.failed, done.table) == (0, {}, None)
    assert "'good' was given up: 8 failures in a row, the last: ClientConnectorError" in done.stopped


def test_a_listener_that_refuses_most_connections_is_waited_for(server, tmp_path: Path, monkeypatch):
    """Of each six connections five are refused: more than a query may fail by itself."""
    post, numbers = HTTPAnswerer._post, itertools.count()

    async def flaky(self: HTTPAnswerer, endpoint: Any, body: bytes) -> Any:
        if next(numbers) % 6 != 5:
            raise _refused()
        return await post(self, endpoint, body)

    monkeypatch.setattr(HTTPAnswerer, "_post", flaky)
    done = recorded(server, tmp_path, "good", concurrency=4)
    assert (done.n_recorded, done.n_failed, done.stopped) == (40, 0, "")
    assert (len(server.requests), done.n_requests) == (40, 40)


def _refused() -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(SimpleNamespace(host="h", port=1, ssl=True), OSError(111, "refused"))
