"""Recording: order, journal, resume, budget and provenance, with a backend that counts."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from processes import wait_until

from llm_routing_env.outcomes import Outcome, OutcomeTable
from llm_routing_env.pool import LLMSpec, Pool
from llm_routing_env.queries import Query, QuerySet
from llm_routing_env.recording import record
from llm_routing_env.recording import recorder as recording
from llm_routing_env.recording.journal import Cell, Journal
from llm_routing_env.recording.provenance import describe_hardware, describe_pool, weights_sha256

QUERIES = QuerySet(
    Query(f"q{number}", "art", "test" if number else "train", f"Question {number}?", (f"answer {number}",))
    for number in range(3)
)
# 1 USD per prompt token and 2 per completion token make the sums easy.
POOL = Pool("priced", tuple(LLMSpec(name, 1e6, 2e6, base_url="http://host/v1", max_tokens=5) for name in ("a", "b")))
N_TOTAL = 3 * 2 * 2
WORST_USD = len("Question 0?") + 256 + 2 * 5


class CountingBackend:
    """Answers right on LLM 0 only; can fail, or be interrupted, at the n-th request."""

    llm_names = POOL.llm_names

    def __init__(self, *, fail_at: int | None = None, interrupt_at: int | None = None) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.fail_at, self.interrupt_at = fail_at, interrupt_at
        self.lock = threading.Lock()

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        with self.lock:
            number = len(self.asked)
            if number == self.interrupt_at:
                raise KeyboardInterrupt
            self.asked.append((query.query_id, llm, repeat))
        if number == self.fail_at:
            return Outcome("", 0, 0, 0.0, 0.5, error="HTTP 500: dead")
        return Outcome(query.references[0] if llm == 0 else "no", 10, 2, 14.0, 0.1 + number / 100)

    def close(self) -> None: ...


def run(tmp_path: Path, backend: CountingBackend, **options: Any) -> recording.Recording:
    return record(POOL, QUERIES, tmp_path / "out.parquet", backend=backend, **{"repeats": 2, **options})


def journal_lines(tmp_path: Path) -> list[dict[str, Any]]:
    text = (tmp_path / "out.parquet.journal.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_every_query_is_asked_of_every_llm_with_the_repeats_outermost(tmp_path):
    backend = CountingBackend()
    progress: list[tuple[int, int, float]] = []
    done = run(tmp_path, backend, on_progress=lambda *step: progress.append(step))
    assert backend.asked == [(f"q{q}", llm, repeat) for repeat in range(2) for q in range(3) for llm in range(2)]
    assert progress[0] == (1, N_TOTAL, 14.0)
    assert progress[-1] == (N_TOTAL, N_TOTAL, 14.0 * N_TOTAL)
    assert (done.n_recorded, done.n_total, done.n_failed, done.spent_usd) == (N_TOTAL, N_TOTAL, 0, 14.0 * N_TOTAL)


def test_the_table_holds_outcomes_and_scores(tmp_path):
    run(tmp_path, CountingBackend())
    table = OutcomeTable.read(tmp_path / "out.parquet")
    assert (table.n_queries, table.llm_names, table.n_repeats) == (3, ("a", "b"), 2)
    assert table.accuracies["final_answer"].tolist() == [[[1, 1], [0, 0]]] * 3
    assert (table.scorer, table.scorers) == ("final_answer", ("final_answer", "token_f1"))
    assert table.latency_s[0, 1].tolist() == pytest.approx([0.11, 0.17])
    assert table.text("response", 2, 0, 1) == "answer 2"
    assert table.queries[1] == QUERIES[1]
    assert table.integers("completion_tokens").tolist() == [[[2, 2], [2, 2]]] * 3


def test_the_metadata_says_where_the_numbers_come_from(tmp_path):
    run(tmp_path, CountingBackend(), concurrency=2)
    metadata = OutcomeTable.read(tmp_path / "out.parquet").metadata
    assert metadata["pool"]["name"] == "priced"
    assert metadata["prices"]["b"]["output_price_usd_per_mtok"] == 2e6
    assert metadata["queries_sha256"] == QUERIES.sha256
    assert metadata["concurrency"] == 2
    assert metadata["hardware"] == describe_hardware()
    assert {"versions", "weights_sha256", "recorded_at", "cost_scale"} <= set(metadata)


def test_an_outcome_is_in_the_journal_before_the_next_is_asked(tmp_path):
    seen: list[int] = []
    backend = CountingBackend()
    ask = backend.ask
    backend.ask = lambda *request: (seen.append(len(journal_lines(tmp_path)) - 1), ask(*request))[1]  # type: ignore
    run(tmp_path, backend)
    assert seen == list(range(N_TOTAL))


def test_an_interrupted_recording_goes_on_where_it_stopped(tmp_path):
    first, second = CountingBackend(interrupt_at=5), CountingBackend()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, first)
    assert not (tmp_path / "out.parquet").exists()
    assert len(journal_lines(tmp_path)) == 1 + 5
    with pytest.raises(ValueError, match="--resume"):
        run(tmp_path, second)
    assert second.asked == []
    done = run(tmp_path, second, resume=True)
    assert done.table is not None
    assert len(second.asked) == N_TOTAL - 5
    assert sorted(first.asked + second.asked) == sorted(set(first.asked + second.asked))
    assert done.spent_usd == 14.0 * N_TOTAL


def test_resume_without_a_journal_begins_and_with_a_full_one_asks_nothing(tmp_path):
    first, second = CountingBackend(), CountingBackend()
    expected = run(tmp_path, first, resume=True).table
    (tmp_path / "out.parquet").unlink()
    again = run(tmp_path, second, resume=True).table
    assert (len(first.asked), second.asked) == (N_TOTAL, [])
    assert expected is not None
    assert again is not None
    assert again.sha256 == expected.sha256


def test_more_repeats_extend_a_recording(tmp_path):
    run(tmp_path, CountingBackend())
    backend = CountingBackend()
    table = run(tmp_path, backend, repeats=3, resume=True).table
    assert table is not None
    assert table.n_repeats == 3
    assert {repeat for _, _, repeat in backend.asked} == {2}


@pytest.mark.parametrize("keep", [1, 40])
def test_a_torn_last_line_is_dropped_said_and_asked_again(tmp_path, keep):
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, CountingBackend(interrupt_at=5))
    path = tmp_path / "out.parquet.journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][:keep])
    backend = CountingBackend()
    with pytest.warns(UserWarning, match="torn last line"):
        done = run(tmp_path, backend, resume=True)
    assert len(backend.asked) == N_TOTAL - 4
    assert done.table is not None
    assert len(journal_lines(tmp_path)) == 1 + N_TOTAL


def test_a_torn_header_begins_anew(tmp_path):
    (tmp_path / "out.parquet.journal.jsonl").write_bytes(b'{"journal": 1, "quer')
    with pytest.warns(UserWarning, match="torn"):
        assert run(tmp_path, CountingBackend(), resume=True).table is not None


def test_a_damaged_line_in_the_middle_is_refused(tmp_path):
    run(tmp_path, CountingBackend())
    path = tmp_path / "out.parquet.journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for damage in (b"{]\n", b"[]\n", b'{"query_id": "q0"}\n'):
        path.write_bytes(b"".join([*lines[:3], damage, *lines[4:]]))
        with pytest.raises(ValueError, match="line 4"):
            run(tmp_path, CountingBackend(), resume=True)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"queries": QUERIES[:2]}, "queries_sha256"),
        ({"pool": replace(POOL, deadline_s=1.0)}, "pool"),
        ({"concurrency": 2}, "concurrency"),
    ],
)
def test_a_journal_of_something_else_is_refused(tmp_path, change, key):
    run(tmp_path, CountingBackend())
    arguments = {"pool": POOL, "queries": QUERIES, "repeats": 2, "resume": True, **change}
    backend = CountingBackend()
    with pytest.raises(ValueError, match=f"another recording: its {key}"):
        record(out=tmp_path / "out.parquet", backend=backend, **arguments)
    assert backend.asked == []


def test_other_weights_are_another_recording(tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"one")
    pool = Pool("local", tuple(replace(llm, model="weights") for llm in POOL.llms), path=tmp_path / "pool.toml")
    before = weights_sha256(pool)
    record(pool, QUERIES, tmp_path / "out.parquet", backend=CountingBackend(), repeats=1)
    (weights / "model.safetensors").write_bytes(b"two")
    assert weights_sha256(pool) != before
    with pytest.raises(ValueError, match="weights_sha256"):
        record(pool, QUERIES, tmp_path / "out.parquet", backend=CountingBackend(), repeats=1, resume=True)


def test_two_processes_cannot_share_a_journal(tmp_path):
    with (
        Journal(tmp_path / "j", {}, resume=False),
        pytest.raises(ValueError, match="another process"),
        Journal(tmp_path / "j", {}, resume=True),
    ):
        pass


def test_failed_outcomes_are_recorded_score_nothing_and_are_asked_again_on_demand(tmp_path):
    failed = run(tmp_path, CountingBackend(fail_at=0))
    assert failed.table is not None
    assert failed.n_failed == 1
    assert failed.table.failed.sum() == 1
    assert failed.table.accuracies["final_answer"][0, 0].tolist() == [0, 1]
    assert failed.table.text("error", 0, 0, 0) == "HTTP 500: dead"
    kept, again = CountingBackend(), CountingBackend()
    assert run(tmp_path, kept, resume=True).n_failed == 1
    assert kept.asked == []
    retried = run(tmp_path, again, resume=True, retry_errors=True)
    assert again.asked == [("q0", 0, 0)]
    assert retried.table is not None
    assert retried.table.accuracies["final_answer"][0, 0].tolist() == [1, 1]
    assert run(tmp_path, CountingBackend(), resume=True).n_failed == 0  # the later line of a cell counts


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_budget_is_never_exceeded_and_nothing_is_lost(tmp_path, concurrency):
    budget = 14.0 * 4 + WORST_USD - 1  # room for the worst case up to the fourth request, not after it
    backend = CountingBackend()
    done = run(tmp_path, backend, max_usd=budget, concurrency=concurrency)
    assert done.table is None
    assert len(backend.asked) == done.n_recorded == len(journal_lines(tmp_path)) - 1
    assert done.n_recorded <= 4
    assert done.spent_usd == 14.0 * done.n_recorded
    if concurrency == 1:
        assert done.n_recorded == 4
    more = run(tmp_path, CountingBackend(), max_usd=1e6, concurrency=concurrency, resume=True)
    assert more.table is not None
    assert more.spent_usd == 14.0 * N_TOTAL


def test_what_a_resumed_journal_spent_counts(tmp_path):
    run(tmp_path, CountingBackend(), max_usd=14.0 * 3 + WORST_USD)
    backend = CountingBackend()
    done = run(tmp_path, backend, max_usd=14.0 * 3 + WORST_USD, resume=True)
    assert backend.asked == []
    assert done.table is None


def test_a_failed_request_counts_at_its_worst(tmp_path):
    assert run(tmp_path, CountingBackend(fail_at=0)).spent_usd == WORST_USD + 14.0 * (N_TOTAL - 1)


def test_no_budget_means_no_request(tmp_path):
    backend = CountingBackend()
    assert run(tmp_path, backend, max_usd=0.0).n_recorded == 0
    assert backend.asked == []


def test_concurrency_keeps_as_many_in_flight(tmp_path):
    backend = CountingBackend()
    barrier = threading.Barrier(3)
    ask = backend.ask
    backend.ask = lambda *request: (barrier.wait(30), ask(*request))[1]  # type: ignore
    assert run(tmp_path, backend, concurrency=3).table is not None  # three at a time, or the barrier breaks


def test_an_interrupt_with_requests_in_flight_keeps_the_journal_whole(tmp_path):
    released = threading.Event()
    backend = CountingBackend()
    ask = backend.ask

    def slow(query: Query, llm: int, repeat: int = 0) -> Outcome:
        outcome = ask(query, llm, repeat)
        if len(backend.asked) > 4:
            released.wait(30)
        return outcome

    def interrupt(done: int, total: int, spent_usd: float) -> None:
        if done == 4:
            raise KeyboardInterrupt

    backend.ask = slow  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, backend, concurrency=2, on_progress=interrupt)
    released.set()
    assert wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")])
    assert len(journal_lines(tmp_path)) == 1 + 4
    assert run(tmp_path, CountingBackend(), concurrency=2, resume=True).table is not None


def test_llms_served_here_are_warmed_up_once_unrecorded(tmp_path):
    local = replace(POOL, llms=(replace(POOL.llms[0], base_url="", model="weights"), POOL.llms[1]))
    backend = CountingBackend()
    done = record(local, QUERIES, tmp_path / "out.parquet", backend=backend, repeats=1)
    assert backend.asked[:2] == [("q0", 0, 0), ("q0", 0, 0)]
    assert len(backend.asked) == 1 + 6
    assert done.n_recorded == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 0}, "repeats must be 1 or more, got 0"),
        ({"concurrency": 0}, "concurrency must be 1 or more"),
        ({"max_usd": -1.0}, "max_usd must be 0 or more"),
        ({"max_usd": float("nan")}, "max_usd must be 0 or more"),
        ({"scorers": ("no_such",)}, "Unknown scorer"),
        ({"scorers": ()}, "at least one scorer"),
        ({"queries": QUERIES[:0]}, "no queries"),
        ({"out": "missing/out.parquet"}, "no folder"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_asked(tmp_path, options, message):
    backend = CountingBackend()
    options = {"queries": QUERIES, "out": "out.parquet", **options}
    out = tmp_path / options.pop("out")
    with pytest.raises(ValueError, match=message):
        record(POOL, options.pop("queries"), out, backend=backend, **options)
    assert backend.asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_table_in_the_way_is_refused(tmp_path):
    (tmp_path / "out.parquet").touch()
    with pytest.raises(ValueError, match="exists: delete it"):
        run(tmp_path, CountingBackend())


def test_what_is_published_has_no_secrets():
    environment = {"HF_TOKEN": "sesame", "OMP_NUM_THREADS": "1"}
    pool = replace(POOL, serve={"api-key": "sesame", "max-model-len": 256}, environment=environment)
    described = describe_pool(pool)
    assert "sesame" not in json.dumps(described)
    assert described["serve"]["max-model-len"] == 256
    assert described["environment"]["OMP_NUM_THREADS"] == "1"


def test_the_journal_restores_every_field(tmp_path):
    outcome = Outcome("naïve\n\u2028text", 3, 4, 0.1 + 0.2, 1 / 3, None, "torn", 0.25)
    with Journal(tmp_path / "j", {"a": [1]}, resume=False) as journal:
        journal.append(Cell("q", "a", 0), outcome)
    with Journal(tmp_path / "j", {"a": [1]}, resume=True) as journal:
        assert journal.outcomes == {Cell("q", "a", 0): outcome}


@pytest.mark.vllm
def test_real_llms_are_recorded(nano_servers, nano_queries, tmp_path):
    from llm_routing_env.backends.vllm_http import VLLMHTTPBackend

    backend = VLLMHTTPBackend(nano_servers)
    done = record(nano_servers, nano_queries, tmp_path / "out.parquet", backend=backend, repeats=2, concurrency=4)
    backend.close()
    assert done.n_failed == 0
    assert done.table is not None
    assert done.table.n_queries == len(nano_queries)
    assert (done.table.cost_usd > 0).all()
    assert (done.table.integers("completion_tokens") > 0).all()
    assert set(done.table.metadata["weights_sha256"]) == set(nano_servers.llm_names)
    for query in range(done.table.n_queries):
        for llm in range(done.table.n_llms):
            assert done.table.text("response", query, llm, 0) == done.table.text("response", query, llm, 1)
