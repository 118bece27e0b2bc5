"""Recording: order, journal, resume, budget and provenance, with a backend that counts."""

import json
from collections import deque
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from faulty_server import faulty_server
from llm_routing_env.backends.vllm_http import VLLMHTTPBackend

from llm_routing_env.backends import Request
from llm_routing_env.backends.base import Answers
from llm_routing_env.backends.budget import Budget
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.pools.provenance import describe_hardware, describe_pool, weights_sha256
from llm_routing_env.recording import record
from llm_routing_env.recording import recorder as recording
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

QUERIES = QuerySet(
    Query(f"q{number}", "art", "test" if number else "train", f"Question {number}?", (f"answer {number}",))
    for number in range(3)
)
# 1 USD per prompt token and 2 per completion token make the sums easy.
POOL = Pool(
    "priced",
    tuple(LLMSpec(name, 1e6, 2e6, base_url="http://host/v1", max_tokens=5) for name in ("a", "b")),
    max_retries=0,
)
MODELS = ("good", "slow")  # of the faulty server
N_TOTAL = 3 * 2 * 2
WORST_USD = len("Question 0?") + 256 + 2 * 5


class CountingBackend:
    """Answers right on LLM 0 only; can fail, or be interrupted, at the n-th request."""

    llm_names = POOL.llm_names

    def __init__(self, *, fail_at: int | None = None, interrupt_at: int | None = None) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.fail_at, self.interrupt_at = fail_at, interrupt_at
        self.most_under_way = 0

    def ask(self, query: Query, llm: int, repeat: int = 0) -> Outcome:
        number = len(self.asked)
        if number == self.interrupt_at:
            raise KeyboardInterrupt
        self.asked.append((query.query_id, llm, repeat))
        if number == self.fail_at:
            return Outcome("", 0, 0, 0.0, 0.5, error="HTTP 500: dead")
        return Outcome(query.references[0] if llm == 0 else "no", 10, 2, 14.0, 0.1 + number / 100)

    def ask_many(self, requests: Iterable[Request], *, concurrency: int | None = None) -> Answers:
        """Answer the oldest of the requests under way, which are as many as may be."""
        numbered, under_way = enumerate(requests), deque[tuple[int, Request]]()
        while True:
            under_way.extend(islice(numbered, None if concurrency is None else concurrency - len(under_way)))
            self.most_under_way = max(self.most_under_way, len(under_way))
            if not under_way:
                return
            number, request = under_way.popleft()
            yield number, self.ask(*request)

    def close(self) -> None: ...


def run(tmp_path: Path, backend: CountingBackend, **options: Any) -> recording.Recording:
    return record(POOL, QUERIES, tmp_path / "out.parquet", backend=backend, **{"repeats": 2, **options})


def journal_lines(tmp_path: Path) -> list[dict[str, Any]]:
    text = (tmp_path / "out.parquet.journal.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if "asked" not in line]


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
    # The sixth request was under way: it may have been charged for.
    assert (done.n_lost, done.spent_usd) == (1, 14.0 * N_TOTAL + WORST_USD)


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
    last = run(tmp_path, CountingBackend(), resume=True)
    assert last.n_failed == 0  # the later line of a cell counts
    assert last.spent_usd == retried.spent_usd == WORST_USD + 14.0 * N_TOTAL  # and the earlier one is not forgotten


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_budget_is_never_exceeded_and_nothing_is_lost(tmp_path, concurrency):
    budget = 14.0 * 4 + WORST_USD - 1  # room for the worst case up to the fourth request, not after it
    backend = CountingBackend()
    done = run(tmp_path, backend, budget=Budget(budget), concurrency=concurrency)
    assert done.table is None
    assert len(backend.asked) == done.n_recorded == len(journal_lines(tmp_path)) - 1
    assert done.n_recorded <= 4
    assert done.spent_usd == 14.0 * done.n_recorded
    if concurrency == 1:
        assert done.n_recorded == 4
    more = run(tmp_path, CountingBackend(), budget=Budget(1e6), concurrency=concurrency, resume=True)
    assert more.table is not None
    assert more.spent_usd == 14.0 * N_TOTAL


def test_no_more_requests_are_sent_than_allowed_those_of_an_earlier_run_included(tmp_path):
    for max_requests, n_asked in ((5, 5), (5, 0), (7, 2)):
        backend = CountingBackend()
        done = run(tmp_path, backend, budget=Budget(max_requests=max_requests), concurrency=3, resume=True)
        assert len(backend.asked) == n_asked
        assert done.n_recorded == done.n_requests == max_requests
        assert done.table is None


def test_what_a_resumed_journal_spent_counts(tmp_path):
    run(tmp_path, CountingBackend(), budget=Budget(14.0 * 3 + WORST_USD))
    backend = CountingBackend()
    done = run(tmp_path, backend, budget=Budget(14.0 * 3 + WORST_USD), resume=True)
    assert backend.asked == []
    assert done.table is None


def test_a_failed_request_counts_at_its_worst(tmp_path):
    assert run(tmp_path, CountingBackend(fail_at=0)).spent_usd == WORST_USD + 14.0 * (N_TOTAL - 1)


def test_no_budget_means_no_request(tmp_path):
    backend = CountingBackend()
    assert run(tmp_path, backend, budget=Budget(0.0)).n_recorded == 0
    assert backend.asked == []


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_keeps_as_many_in_flight(tmp_path, concurrency):
    backend = CountingBackend()
    assert run(tmp_path, backend, concurrency=concurrency).table is not None
    assert backend.most_under_way == concurrency


def test_an_interrupt_with_requests_in_flight_keeps_the_journal_whole(tmp_path):
    def interrupt(done: int, total: int, spent_usd: float) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, CountingBackend(), concurrency=2, on_progress=interrupt)
    assert sum("response" in line for line in journal_lines(tmp_path)) == 4
    assert run(tmp_path, CountingBackend(), concurrency=2, resume=True).table is not None


def test_an_interrupt_gives_up_on_the_requests_in_flight(tmp_path):
    def interrupt(done: int, total: int, spent_usd: float) -> None:
        raise KeyboardInterrupt

    with faulty_server() as server:
        llms = tuple(
            replace(llm, name=name, base_url=server.base_url) for name, llm in zip(MODELS, POOL.llms, strict=True)
        )
        pool = Pool("faulty", llms, deadline_s=600.0)
        with closing(VLLMHTTPBackend(pool)) as backend, pytest.raises(KeyboardInterrupt):
            # Well before the deadline: the slow one is not waited for.
            record(pool, QUERIES, tmp_path / "out.parquet", backend=backend, concurrency=2, on_progress=interrupt)
    assert sum("response" in line for line in journal_lines(tmp_path)) == 1


def test_requests_in_flight_overlap_at_the_server_and_are_in_the_table(tmp_path):
    with faulty_server() as server:
        pool = replace(POOL, llms=(replace(POOL.llms[0], name="a little slow", base_url=server.base_url),))
        with closing(VLLMHTTPBackend(pool)) as backend:
            done = record(pool, QUERIES, tmp_path / "o", backend=backend, repeats=4, concurrency=3)
    assert done.table is not None
    assert (done.n_recorded, done.n_failed, server.most_in_flight) == (12, 0, 3)


@pytest.mark.parametrize("stream", [False, True])
def test_the_time_to_the_first_token_is_recorded_where_it_is_measured(tmp_path, stream):
    with faulty_server() as server:
        pool = replace(POOL, llms=(replace(POOL.llms[0], name="good", base_url=server.base_url),))
        with closing(VLLMHTTPBackend(pool, stream=stream)) as backend:
            record(pool, QUERIES, tmp_path / "o", backend=backend, repeats=1)
    rows = pq.read_table(tmp_path / "o")
    assert ("ttft_s" in rows.column_names) == stream
    if stream:
        pairs = zip(rows["ttft_s"].to_pylist(), rows["latency_s"].to_pylist(), strict=True)
        assert all(0 < ttft_s <= latency_s for ttft_s, latency_s in pairs)


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


@pytest.mark.vllm
def test_real_llms_are_recorded(nano_servers, nano_queries, tmp_path):
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
