"""Recording: order, journal, resume, budget, faults and provenance, from a real server that counts its answers."""

import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import journal_files
import numpy as np
import pyarrow.parquet as pq
import pytest
from counting_server import DELAY_S, CountingServer, counting_server
from faulty_server import FaultyServer, faulty_server

from llm_routing_env.backends import asked_llm, lanes
from llm_routing_env.backends.asker import Asker
from llm_routing_env.backends.budget import Budget
from llm_routing_env.pools import provenance
from llm_routing_env.pools.load_curve import check_recorded_alone
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.pools.provenance import describe_hardware, weights_sha256
from llm_routing_env.recording import record
from llm_routing_env.recording import recorder as recording
from llm_routing_env.serving.endpoints import claim, write_endpoints
from llm_routing_env.tables import check
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

QUERIES = QuerySet(
    Query(f"q{number}", "art", "test" if number else "train", f"Question {number}?", (f"answer {number}",))
    for number in range(3)
)
N_TOTAL = 3 * 2 * 2
COST_USD = 10 + 2 * 2  # of each answer, at 1 USD a token read and 2 USD a token written
WORST_USD = len("Question 0?") + 256 + 2 * 5


@pytest.fixture
def server() -> Iterator[CountingServer]:
    """Return a server that answers right as "a" only."""
    with counting_server() as running:
        running.reply = lambda number, llm, prompt: f"answer {prompt[9]}" if llm == "a" else "no"
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_RETRY_S", "LONGEST_RETRY_S"):
        monkeypatch.setattr(asked_llm, name, 0.01)
    for name in ("PAUSE_S", "FIRST_BUSY_S", "LONGEST_BUSY_S"):
        monkeypatch.setattr(lanes, name, 0.01)


def pool_of(server: CountingServer | FaultyServer, *names: str, **fields: Any) -> Pool:
    llms = (LLMSpec(name, 1e6, 2e6, base_url=server.base_url, max_tokens=5) for name in names or ("a", "b"))
    return Pool("priced", tuple(llms), **fields)


def run(tmp_path: Path, server: CountingServer, **options: Any) -> recording.Recording:
    pool = options.pop("pool", None) or pool_of(server)
    queries = options.pop("queries", QUERIES)
    return record(pool, queries, tmp_path / "out.parquet", **{"repeats": 2, **options})


def journal_of(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet.journal.sqlite"


def asked(server: CountingServer) -> list[tuple[str, str]]:
    return [(request["messages"][-1]["content"], request["model"]) for request in server.requests]


def failing_at(*numbers: int, status: int = 400) -> Callable[[int, str, str], int]:
    return lambda number, llm, prompt: status if number in numbers else 200


def test_every_query_is_asked_of_every_llm_with_the_repeats_outermost(tmp_path: Path, server: CountingServer):
    progress: list[tuple[int, int, float]] = []
    done = run(tmp_path, server, on_progress=lambda *step: progress.append(step))
    of_each = [f"Question {query}?" for _ in range(2) for query in range(3)]
    for name in ("a", "b"):
        assert [prompt for prompt, llm in asked(server) if llm == name] == of_each
    assert [step[0] for step in progress] == list(range(1, N_TOTAL + 1))
    assert progress[-1] == (N_TOTAL, N_TOTAL, COST_USD * N_TOTAL)
    assert (done.n_recorded, done.n_total, done.n_failed, done.n_requests) == (N_TOTAL, N_TOTAL, 0, N_TOTAL)
    assert (done.spent_usd, done.n_lost, done.stopped, done.warnings) == (COST_USD * N_TOTAL, 0, "", ())
    assert done.journal == journal_of(tmp_path)


def test_the_table_holds_outcomes_and_scores(tmp_path: Path, server: CountingServer):
    run(tmp_path, server)
    table = OutcomeTable.read(tmp_path / "out.parquet")
    assert (table.n_queries, table.llm_names, table.n_repeats) == (3, ("a", "b"), 2)
    assert table.accuracies["final_answer"].tolist() == [[[1, 1], [0, 0]]] * 3
    assert (table.scorer, table.scorers) == ("final_answer", ("final_answer", "token_f1"))
    assert (table.latency_s >= DELAY_S).all()
    assert table.text("response", 2, 0, 1) == "answer 2"
    assert table.queries[1] == QUERIES[1]
    assert table.integers("completion_tokens").tolist() == [[[2, 2], [2, 2]]] * 3


def test_what_is_known_of_each_call_is_in_the_table(tmp_path: Path, server: CountingServer):
    """The first request fails and is sent again: its latency is the second's, and what went before is the wait."""
    server.status = failing_at(0, status=503)
    server.finish_reason = "length"
    server.usage = {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 6},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    pool = pool_of(server, "a")
    pool = replace(pool, llms=(replace(pool.llms[0], cached_price_usd_per_mtok=0.5e6),))
    done = run(tmp_path, server, pool=pool, repeats=1)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["n_attempts"] for row in rows] == [2, 1, 1]
    assert [(row["finish_reason"], row["cached_tokens"], row["reasoning_tokens"]) for row in rows] == [
        ("length", 6, 3)
    ] * 3
    cost_usd = 4 * 1 + 6 * 0.5 + 4 * 2  # 4 of 10 tokens at 1 USD, 6 at half of it, 4 written at 2 USD
    assert [row["cost_usd"] for row in rows] == [cost_usd] * 3
    assert rows[0]["wait_s"] > DELAY_S  # the request that failed
    assert all(DELAY_S <= row["latency_s"] < 1 for row in rows)
    assert done.n_requests == 4
    assert done.spent_usd == 3 * cost_usd + WORST_USD  # HTTP 503 may be billed


def test_a_wait_for_a_place_is_no_latency(tmp_path: Path, server: CountingServer):
    """Of four requests at once one is sent at a time, each taking 3 ms: they wait for 0, 1, 2 and 3 of them."""
    pool = pool_of(server, "a")
    pool = replace(pool, llms=(replace(pool.llms[0], max_in_flight=1),))
    run(tmp_path, server, pool=pool, repeats=4, concurrency=12)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert server.most_in_flight == 1
    waits = sorted(row["wait_s"] for row in rows)
    assert all(wait_s >= number * DELAY_S for number, wait_s in enumerate(waits))
    assert sum(row["latency_s"] for row in rows) < waits[-1] * 2


def test_a_table_of_chats(tmp_path: Path, server: CountingServer):
    chat = (("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Question 1?"))
    queries = QuerySet([QUERIES[0], replace(QUERIES[1], messages=chat)])
    table = run(tmp_path, server, queries=queries, repeats=1).table
    assert table is not None
    assert table.queries[0].messages == ()
    assert table.queries[1].messages == chat
    assert table.queries[1].prompt == "Question 1?"
    assert table.metadata["queries_sha256"] == queries.sha256
    sent = [request["messages"] for request in server.requests if len(request["messages"]) > 1]
    assert sent == [[{"role": role, "content": content} for role, content in chat]] * 2
    assert "messages" not in pq.read_schema(write_plain(tmp_path, server)).names


def write_plain(tmp_path: Path, server: CountingServer) -> Path:
    record(pool_of(server), QUERIES, tmp_path / "plain.parquet", repeats=1)
    return tmp_path / "plain.parquet"


def test_the_metadata_says_where_the_numbers_come_from(tmp_path: Path, server: CountingServer):
    run(tmp_path, server, concurrency=2)
    metadata = OutcomeTable.read(tmp_path / "out.parquet").metadata
    assert metadata["pool"]["name"] == "priced"
    assert metadata["prices"]["b"]["output_price_usd_per_mtok"] == 2e6
    assert metadata["queries_sha256"] == QUERIES.sha256
    assert metadata["concurrency"] == 2
    assert metadata["hardware"] == describe_hardware()
    assert {"versions", "weights_sha256", "recorded_at", "cost_scale"} <= set(metadata)


# --- going on


class Stop(Exception):  # noqa: N818
    """Ends a recording in a test."""


def stop_at(n: int, error: BaseException) -> Callable[[int, int, float], None]:
    def stop(done: int, total: int, spent_usd: float) -> None:
        if done == n:
            raise error

    return stop


@pytest.mark.parametrize("concurrency", [1, 3])
def test_an_interrupted_recording_says_what_is_kept_and_goes_on_where_it_stopped(
    tmp_path: Path, server: CountingServer, concurrency: int
):
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(tmp_path, server, concurrency=concurrency, on_progress=stop_at(5, KeyboardInterrupt()))
    kept = f"5 of {N_TOTAL} outcomes are kept in {journal_of(tmp_path)}"
    assert stopped.value.__notes__ == [f"{kept}: the same command with --resume (resume=True) goes on."]
    assert not (tmp_path / "out.parquet").exists()
    server.settle()
    n_before, n_kept = len(server.requests), len(journal_files.rows(journal_of(tmp_path)))
    assert 5 <= n_kept <= n_before <= 5 + 2 * concurrency
    with pytest.raises(ValueError, match="--resume"):
        run(tmp_path, server)
    assert len(server.requests) == n_before
    done = run(tmp_path, server, resume=True)
    assert done.table is not None
    assert len(server.requests) - n_before == N_TOTAL - n_kept
    # What was under way may have been charged for.
    assert n_before - n_kept <= done.n_lost <= 2 * concurrency
    assert done.spent_usd == COST_USD * N_TOTAL + WORST_USD * done.n_lost
    assert done.n_requests == N_TOTAL + done.n_lost


def test_an_outcome_is_in_the_journal_before_it_is_counted(tmp_path: Path, server: CountingServer):
    seen: list[int] = []
    path = journal_of(tmp_path)
    run(tmp_path, server, pool=pool_of(server, "a"), on_progress=lambda *step: seen.append(n_rows(path)))
    assert len(seen) == 6
    assert all(n_kept >= n_counted for n_counted, n_kept in enumerate(seen, start=1))  # commits are in groups


def n_rows(path: Path) -> int:
    return len(journal_files.rows(path))


def test_resume_without_a_journal_begins_and_with_a_full_one_asks_nothing(tmp_path: Path, server: CountingServer):
    expected = run(tmp_path, server, resume=True).table
    (tmp_path / "out.parquet").unlink()
    again = run(tmp_path, server, resume=True).table
    assert len(server.requests) == N_TOTAL
    assert expected is not None
    assert again is not None
    assert again.sha256 == expected.sha256


def changed_pool(server: CountingServer, **fields: Any) -> Pool:
    pool = pool_of(server)
    return replace(pool, llms=tuple(replace(llm, **fields) for llm in pool.llms))


CIRCUMSTANCES: dict[str, Callable[[CountingServer], dict[str, Any]]] = {
    "nothing": lambda server: {},
    "concurrency": lambda server: {"concurrency": 7},
    "deadline": lambda server: {"pool": replace(pool_of(server), deadline_s=1.5)},
    "retries": lambda server: {"pool": replace(pool_of(server), max_retries=0)},
    "the llms' deadline, retries and pace": lambda server: {
        "pool": changed_pool(server, deadline_s=2.5, max_retries=9, max_in_flight=2, requests_per_minute=1e6)
    },
    "the pool's name": lambda server: {"pool": replace(pool_of(server), name="other")},
    "features": lambda server: {"pool": changed_pool(server, features={"size": 7})},
    "headers": lambda server: {"pool": changed_pool(server, headers={"X-Title": "PickLLM"})},
    "the llms' order": lambda server: {"pool": pool_of(server, "b", "a")},
    "the stream": lambda server: {"stream": True},
    "retry_errors": lambda server: {"retry_errors": True},
    "the queries' order": lambda server: {"queries": QuerySet(reversed(QUERIES))},
    "fewer queries": lambda server: {"queries": QUERIES[1:]},
    "fewer repeats": lambda server: {"repeats": 1},
    "fewer llms": lambda server: {"pool": pool_of(server, "b")},
    "scorers": lambda server: {"scorers": ("exact_match",)},
    "context and references": lambda server: {
        "queries": QuerySet(replace(query, context="chess", references=("x",)) for query in QUERIES)
    },
    "the queries' names": lambda server: {
        "queries": QuerySet(replace(query, query_id=f"new-{query.query_id}") for query in QUERIES)
    },
}


@pytest.mark.parametrize("change", CIRCUMSTANCES)
def test_what_decides_no_answer_may_change_and_nothing_is_asked_twice(
    tmp_path: Path, server: CountingServer, change: str
):
    run(tmp_path, server)
    done = run(tmp_path, server, resume=True, **CIRCUMSTANCES[change](server))
    assert len(server.requests) == N_TOTAL
    assert done.table is not None
    assert done.n_recorded == done.n_total == done.table.cost_usd.size
    for llm, name in enumerate(done.table.llm_names):
        for query in range(done.table.n_queries):
            said = f"answer {done.table.queries[query].prompt[9]}" if name == "a" else "no"
            assert done.table.text("response", query, llm, 0) == said


def test_what_a_table_says_that_calls_cost_is_at_the_prices_that_it_names(tmp_path: Path, server: CountingServer):
    """10 tokens read at 3 USD a token and 2 written at 2 USD; what was paid before is spent all the same."""
    run(tmp_path, server)
    pool = changed_pool(server, input_price_usd_per_mtok=3e6)
    table = run(tmp_path, server, resume=True, pool=pool).table
    assert table is not None
    assert table.metadata["prices"]["a"]["input_price_usd_per_mtok"] == 3e6
    assert (table.cost_usd == 10 * 3 + 2 * 2).all()


def test_another_address_and_other_versions_of_what_serves_go_on(
    tmp_path: Path, server: CountingServer, monkeypatch: pytest.MonkeyPatch
):
    run(tmp_path, server)
    monkeypatch.setattr(provenance, "serving_versions", lambda: {"vllm": "99.0"})
    monkeypatch.setattr(provenance, "describe_hardware", lambda: {"cpu": "another"})
    with counting_server() as moved:
        done = run(tmp_path, moved, resume=True)
        assert moved.requests == []
    assert done.table is not None
    assert done.table.metadata["versions"] == {"vllm": "99.0"}
    # The journal remembers under which circumstances each outcome came.
    facts = [row[0] for row in journal_files.read(journal_of(tmp_path), "SELECT facts FROM runs ORDER BY run")]
    assert ['"99.0"' in text for text in facts] == [False, True]


MORE: dict[str, tuple[Callable[[CountingServer], dict[str, Any]], Counter[tuple[str, str]]]] = {
    "repeats": (
        lambda server: {"repeats": 3},
        Counter({(query.prompt, llm): 1 for query in QUERIES for llm in ("a", "b")}),
    ),
    "queries": (
        lambda server: {"queries": QuerySet([Query("new", "art", "test", "Question 7?", ()), *QUERIES])},
        Counter({("Question 7?", llm): 2 for llm in ("a", "b")}),
    ),
    "an llm": (
        lambda server: {"pool": pool_of(server, "a", "b", "c")},
        Counter({(query.prompt, "c"): 2 for query in QUERIES}),
    ),
    "another prompt of the same name": (
        lambda server: {"queries": QuerySet([replace(QUERIES[0], prompt="Question 9?"), *QUERIES[1:]])},
        Counter({("Question 9?", llm): 2 for llm in ("a", "b")}),
    ),
    "a system message in front": (
        lambda server: {
            "queries": QuerySet(
                [replace(QUERIES[0], messages=(("system", "s"), ("user", "Question 0?"))), *QUERIES[1:]]
            )
        },
        Counter({("Question 0?", llm): 2 for llm in ("a", "b")}),
    ),
}


@pytest.mark.parametrize("more", MORE)
def test_more_of_anything_extends_a_recording(tmp_path: Path, server: CountingServer, more: str):
    run(tmp_path, server)
    options, expected = MORE[more]
    done = run(tmp_path, server, resume=True, **options(server))
    assert Counter(asked(server)[N_TOTAL:]) == expected
    assert done.table is not None
    assert done.n_recorded == done.n_total
    for query in range(done.table.n_queries):
        assert done.table.text("response", query, 0, 0) == f"answer {done.table.queries[query].prompt[9]}"
    again = run(tmp_path, server, resume=True, **options(server))
    assert again.table is not None
    assert len(server.requests) == N_TOTAL + expected.total()


@pytest.mark.parametrize(
    ("fields", "key", "before", "now"),
    [
        ({"request": {"temperature": 0.7}}, "temperature", "0", "0.7"),
        ({"request": {"top_p": 0.5}}, "top_p", "None", "0.5"),
        ({"omit": ["temperature"]}, "temperature", "0", "None"),
        ({"max_tokens": 6}, "max_tokens", "5", "6"),
        ({"served_name": "a-new-one"}, "model", "'a'", "'a-new-one'"),
        ({"system": "Be brief."}, "messages", r"\[\]", r"\[.*Be brief"),
    ],
)
def test_an_llm_that_answers_otherwise_is_refused_by_name_and_key(
    tmp_path: Path, server: CountingServer, fields: dict[str, Any], key: str, before: str, now: str
):
    run(tmp_path, server)
    content = journal_of(tmp_path).read_bytes()
    pool = pool_of(server)
    pool = replace(pool, llms=(replace(pool.llms[0], **fields), pool.llms[1]))
    with pytest.raises(ValueError, match=f"has outcomes of 'a' with {key} {before}, now it is {now}.*: give the LLM"):
        run(tmp_path, server, pool=pool, resume=True)
    assert len(server.requests) == N_TOTAL
    assert journal_of(tmp_path).read_bytes() == content
    renamed = replace(pool, llms=(replace(pool.llms[0], name="c", served_name=pool.llms[0].served_name or "a"),))
    run(tmp_path, server, pool=replace(renamed, llms=(*renamed.llms, pool.llms[1])), resume=True)  # as it advises
    assert len(server.requests) == N_TOTAL + 6


def test_a_journal_of_another_pool_is_refused(tmp_path: Path, server: CountingServer):
    run(tmp_path, server)
    with pytest.raises(ValueError, match=r"of another pool: it has outcomes of \['a', 'b'\], the pool has \['c'\]"):
        run(tmp_path, server, pool=pool_of(server, "c"), resume=True)
    assert len(server.requests) == N_TOTAL


@pytest.fixture
def served_here(tmp_path: Path, server: CountingServer) -> Iterator[Pool]:
    """Return a pool that `pickllm serve` seems to serve, of an LLM with weights."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "model.safetensors").write_bytes(b"one")
    llm = LLMSpec("a", 1e6, 2e6, model="weights", max_tokens=5, serve={"max-num-seqs": 8, "dtype": "float32"})
    pool = Pool("local", (llm,), path=tmp_path / "pool.toml")
    with claim(pool, None) as place:
        write_endpoints(place, {"a": {"base_url": server.base_url}})
        yield pool


def test_other_weights_answer_otherwise(tmp_path: Path, server: CountingServer, served_here: Pool):
    run(tmp_path, server, pool=served_here)
    n_asked, before = len(server.requests), weights_sha256(served_here)
    (tmp_path / "weights" / "model.safetensors").write_bytes(b"two")
    assert weights_sha256(served_here) != before
    with pytest.raises(ValueError, match="has outcomes of 'a' with weights_sha256"):
        run(tmp_path, server, pool=served_here, resume=True)
    assert len(server.requests) == n_asked


@pytest.mark.parametrize(("flag", "value", "decides"), [("max-num-seqs", 16, False), ("dtype", "bfloat16", True)])
def test_flags_that_decide_answers_may_not_change_and_others_may(
    tmp_path: Path, server: CountingServer, served_here: Pool, flag: str, value: Any, decides: bool
):
    run(tmp_path, server, pool=served_here)
    n_asked = len(server.requests)
    llm = served_here.llms[0]
    pool = replace(served_here, llms=(replace(llm, serve={**llm.serve, flag: value}),))
    if decides:
        with pytest.raises(ValueError, match="'a' with dtype 'float32', now it is 'bfloat16'"):
            run(tmp_path, server, pool=pool, resume=True)
    else:
        assert run(tmp_path, server, pool=pool, resume=True).table is not None
    assert len(server.requests) == n_asked


def test_llms_served_here_are_warmed_up_once_unrecorded(tmp_path: Path, server: CountingServer, served_here: Pool):
    done = run(tmp_path, server, pool=served_here, repeats=1)
    assert asked(server) == [("Question 0?", "a"), *((query.prompt, "a") for query in QUERIES)]
    assert (done.n_recorded, done.n_requests) == (3, 4)
    run(tmp_path, server, pool=served_here, repeats=1, resume=True)
    assert len(server.requests) == 4  # there is nothing to ask: nothing to warm up for


def test_an_interrupt_while_an_llm_warms_up_says_what_is_kept_too(
    tmp_path: Path, server: CountingServer, served_here: Pool, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Asker, "warm_up", interrupted)
    with pytest.raises(KeyboardInterrupt) as stopped:
        run(tmp_path, server, pool=served_here)
    assert stopped.value.__notes__[0].startswith("0 of 6 outcomes are kept in ")


def test_queries_of_one_prompt_are_all_recorded_and_resumed(tmp_path: Path, server: CountingServer):
    twins = QuerySet([*QUERIES, replace(QUERIES[0], query_id="twin", context="chess", references=("no",))])
    with pytest.raises(Stop):
        run(tmp_path, server, queries=twins, on_progress=stop_at(10, Stop()))
    done = run(tmp_path, server, queries=twins, resume=True)
    assert done.table is not None
    assert (done.n_recorded, done.n_total) == (16, 16)
    n_asked = len(server.requests)
    assert done.n_requests <= 12 + done.n_lost  # of three prompts, not of four queries
    # All of it is there: nothing has to be looked for by asking.
    again = run(tmp_path, server, queries=twins, resume=True, budget=Budget(max_requests=0))
    assert (again.n_recorded, again.table is not None, again.stopped) == (16, True, "")
    assert len(server.requests) == n_asked


# --- outcomes that are errors


def test_failed_outcomes_keep_the_table_back_until_they_are_asked_again_or_allowed(
    tmp_path: Path, server: CountingServer
):
    server.status = failing_at(0)
    pool = pool_of(server, "a", "b")
    failed = run(tmp_path, server, pool=pool)
    assert failed.table is None
    assert not (tmp_path / "out.parquet").exists()
    assert (failed.n_recorded, failed.n_failed, failed.stopped) == (N_TOTAL, 1, "")
    ((name, (n_failed, first)),) = failed.failed.items()
    assert (n_failed, first) == (1, 'HTTP 400: {"error": "as told"}')
    kept = run(tmp_path, server, resume=True)
    assert (kept.table, kept.failed) == (None, failed.failed)
    allowed = run(tmp_path, server, resume=True, allow_errors=True).table
    assert len(server.requests) == N_TOTAL
    assert allowed is not None
    llm = ("a", "b").index(name)
    assert (allowed.failed.sum(), allowed.text("error", 0, llm, 0)) == (1, first)
    assert allowed.accuracies["final_answer"][0, llm, 0] == 0
    retried = run(tmp_path, server, resume=True, retry_errors=True)
    assert asked(server)[N_TOTAL:] == [("Question 0?", name)]
    assert retried.table is not None
    assert retried.table.accuracies["final_answer"][0].tolist() == [[1, 1], [0, 0]]
    last = run(tmp_path, server, resume=True)
    assert (last.n_failed, len(server.requests)) == (0, N_TOTAL + 1)  # the later outcome counts
    assert last.spent_usd == COST_USD * N_TOTAL  # no provider bills a status of 400
    assert last.n_requests == N_TOTAL + 1  # and the earlier request is not forgotten


def test_errors_that_stay_stay_recorded(tmp_path: Path, server: CountingServer):
    server.status = lambda number, llm, prompt: 422 if prompt == "Question 1?" else 200
    for _ in range(2):
        done = run(tmp_path, server, resume=True, retry_errors=True)
        assert {name: n for name, (n, _) in done.failed.items()} == {"a": 2, "b": 2}
    assert len(server.requests) == N_TOTAL + 4


def test_what_passes_is_waited_for_and_no_error(tmp_path: Path, server: CountingServer):
    """Twenty failures in a row, more than any live session would put up with: an LLM that is down comes back."""
    server.status = lambda number, llm, prompt: (503, 429)[number % 2] if number < 20 else 200
    done = run(tmp_path, server, pool=pool_of(server, "a", max_retries=0))
    assert done.table is not None
    assert done.n_failed == 0
    assert len(server.answers) == 6
    assert done.n_requests == 26


def test_an_llm_that_stays_down_ends_the_recording_and_loses_nothing(
    tmp_path: Path, server: CountingServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(asked_llm, "MOST_ROUNDS", 6)
    server.status = lambda number, llm, prompt: 503 if llm == "b" else 200
    done = run(tmp_path, server)
    assert done.table is None
    assert done.stopped == '\'b\' was given up: 6 failures in a row, the last: HTTP 503: {"error": "as told"}'
    assert done.failed == {}
    assert {row.llm for row in journal_files.rows(journal_of(tmp_path))} <= {"a"}
    assert n_rows(journal_of(tmp_path)) == done.n_recorded == len(server.answers)
    server.status = failing_at()
    assert run(tmp_path, server, resume=True).table is not None
    assert len(server.answers) == N_TOTAL


def test_a_pool_that_is_wrong_ends_at_once(tmp_path: Path, server: CountingServer):
    server.status = lambda number, llm, prompt: 401 if llm == "b" else 200
    done = run(tmp_path, server, concurrency=2)
    assert done.stopped.startswith("'b' was given up: HTTP 401")
    assert sum(llm == "b" for _, llm in asked(server)) <= 2
    assert done.failed == {}


# --- money


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_budget_is_never_exceeded_and_nothing_is_lost(tmp_path: Path, server: CountingServer, concurrency: int):
    budget = COST_USD * 4 + WORST_USD - 1  # room for the worst case up to the fourth request, not after it
    done = run(tmp_path, server, budget=Budget(budget), concurrency=concurrency)
    assert done.table is None
    assert done.stopped == f"the budget of ${budget:g} is used up: ${COST_USD * 4} are spent"
    assert len(server.answers) == done.n_recorded == n_rows(journal_of(tmp_path)) == 4
    assert done.spent_usd == COST_USD * 4
    more = run(tmp_path, server, budget=Budget(1e6), concurrency=concurrency, resume=True)
    assert more.table is not None
    assert more.spent_usd == COST_USD * N_TOTAL


def test_no_more_requests_are_sent_than_allowed_those_of_an_earlier_run_included(
    tmp_path: Path, server: CountingServer
):
    for max_requests, n_asked in ((5, 5), (5, 5), (7, 7), (0, 7)):
        done = run(tmp_path, server, budget=Budget(max_requests=max_requests), concurrency=3, resume=True)
        assert len(server.requests) == n_asked
        assert done.n_recorded == done.n_requests == n_asked
        assert done.stopped == f"the budget of {max_requests} requests is used up"
        assert done.table is None


def test_a_request_that_may_be_billed_counts_at_its_worst_over_every_resume(tmp_path: Path, server: CountingServer):
    server.status = failing_at(0, status=500)
    done = run(tmp_path, server)
    assert done.spent_usd == WORST_USD + COST_USD * N_TOTAL
    again = run(tmp_path, server, resume=True, budget=Budget(max_usd=WORST_USD + COST_USD * N_TOTAL))
    assert again.spent_usd == WORST_USD + COST_USD * N_TOTAL


def test_no_budget_means_no_request(tmp_path: Path, server: CountingServer):
    assert run(tmp_path, server, budget=Budget(0.0)).n_recorded == 0
    assert server.requests == []


def test_an_endpoint_that_charges_more_than_it_may_is_said(tmp_path: Path, server: CountingServer):
    server.usage = {"prompt_tokens": 10, "completion_tokens": 5000}
    done = run(tmp_path, server)
    assert [line.partition(" charged")[0] for line in done.warnings] == ["'a'", "'b'"]
    assert all("counts more tokens than max_tokens allows" in line for line in done.warnings)


def test_damaged_outcomes_are_said_and_asked_again(tmp_path: Path, server: CountingServer):
    run(tmp_path, server)
    with closing(sqlite3.connect(journal_of(tmp_path))) as connection:
        connection.execute("UPDATE outcomes SET response = 'forged' WHERE number IN (3, 8)")
        connection.commit()
    done = run(tmp_path, server, resume=True)
    assert len(server.requests) == N_TOTAL + 2
    assert done.warnings == (f"{done.journal}: 2 damaged outcomes are not used; their queries are asked again.",)
    assert done.table is not None
    assert "forged" not in done.table.texts("response").ravel()


# --- how it is asked


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_keeps_as_many_in_flight(tmp_path: Path, server: CountingServer, concurrency: int):
    assert run(tmp_path, server, concurrency=concurrency, repeats=6).table is not None
    assert server.most_in_flight == concurrency


def test_an_interrupt_gives_up_on_the_requests_in_flight(tmp_path: Path):
    with faulty_server() as server, pytest.raises(KeyboardInterrupt):
        # Well before the deadline: the slow one is not waited for.
        record(
            pool_of(server, "good", "slow", deadline_s=600.0),
            QUERIES,
            tmp_path / "out.parquet",
            concurrency=2,
            on_progress=stop_at(1, KeyboardInterrupt()),
        )
    assert n_rows(journal_of(tmp_path)) >= 1
    assert {row.llm for row in journal_files.rows(journal_of(tmp_path))} == {"good"}


@pytest.mark.parametrize("stream", [False, True])
def test_the_time_to_the_first_token_is_recorded_where_it_is_measured(tmp_path: Path, stream: bool):
    with faulty_server() as server:
        record(pool_of(server, "good"), QUERIES, tmp_path / "o", repeats=1, stream=stream)
    pairs = [(row["ttft_s"], row["latency_s"]) for row in pq.read_table(tmp_path / "o").to_pylist()]
    if stream:
        assert all(0 < ttft_s <= latency_s for ttft_s, latency_s in pairs)
    else:
        assert [ttft_s for ttft_s, _ in pairs] == [None] * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"repeats": 0}, "repeats must be 1 to 1000000, got 0"),
        ({"concurrency": 0}, "concurrency must be 1 to 1000000, got 0"),
        ({"concurrency": 10**20}, "concurrency must be 1 to 1000000, got 1"),
        ({"scorers": ("no_such",)}, "Unknown scorer"),
        ({"scorers": ()}, "at least one scorer"),
        ({"scorers": ("token_f1", "token_f1")}, "'token_f1' is named twice"),
        ({"queries": QUERIES[:0]}, "no queries"),
        ({"out": "missing/out.parquet"}, "no folder"),
        ({"backend": "table"}, "asks no LLM"),
        ({"backend": "vlm"}, "Unknown backend 'vlm'. Did you mean 'vllm'"),
        ({"backend": "vllm-inprocess"}, "has no `model` to load"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_asked(
    tmp_path: Path, server: CountingServer, options: dict[str, Any], message: str
):
    options = {"queries": QUERIES, "out": "out.parquet", **options}
    out = tmp_path / options.pop("out")
    with pytest.raises(ValueError, match=message):
        record(pool_of(server), options.pop("queries"), out, **options)
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_missing_key_leaves_no_journal(tmp_path: Path, server: CountingServer):
    with pytest.raises(ValueError, match="needs its API key in the environment variable NO_SUCH_KEY"):
        run(tmp_path, server, pool=changed_pool(server, api_key_env="NO_SUCH_KEY"))
    assert list(tmp_path.iterdir()) == []


def test_a_table_in_the_way_is_refused(tmp_path: Path, server: CountingServer):
    (tmp_path / "out.parquet").touch()
    with pytest.raises(ValueError, match="exists: move it away"):
        run(tmp_path, server)
    assert server.requests == []


def test_more_outcomes_than_one_file_may_have_are_a_folder_which_nothing_is_written_over(
    tmp_path: Path, server: CountingServer, monkeypatch: pytest.MonkeyPatch
):
    whole = run(tmp_path, server).table
    (tmp_path / "out.parquet").unlink()
    monkeypatch.setattr(check, "MOST_ROWS", 5)
    parts = run(tmp_path, server, resume=True).table
    assert len(list((tmp_path / "out.parquet").iterdir())) == -(-whole.cost_usd.size // 5)
    np.testing.assert_array_equal(parts.latency_s, whole.latency_s)
    n_asked = len(server.requests)
    with pytest.raises(ValueError, match="exists: move it away"):
        run(tmp_path, server, resume=True)
    assert len(server.requests) == n_asked


@pytest.mark.parametrize("resume", [False, True])
def test_a_journal_of_an_earlier_version_is_refused_and_nothing_is_asked(
    tmp_path: Path, server: CountingServer, resume: bool
):
    old = tmp_path / "out.parquet.journal.jsonl"
    old.write_text('{"journal": 3, "queries_sha256": "x", "crc32": 1}\n')
    with pytest.raises(ValueError, match=f"{old} is a journal of an earlier version: `pickllm export journal {old} "):
        run(tmp_path, server, resume=resume)
    assert server.requests == []
    assert list(tmp_path.iterdir()) == [old]


def test_every_query_has_its_own_answer_whatever_the_order_in_which_they_come(tmp_path: Path, server: CountingServer):
    server.reply = lambda number, llm, prompt: f"{llm} {prompt} {zlib.crc32(prompt.encode())}"
    queries = QuerySet(Query(f"q{n}", "art", "test", f"Question {n}?", ()) for n in range(40))
    table = run(tmp_path, server, queries=queries, concurrency=16).table
    assert table is not None
    for query, asked_query in enumerate(queries):
        for llm, name in enumerate(table.llm_names):
            for repeat in range(2):
                text = table.text("response", query, llm, repeat)
                assert text == f"{name} {asked_query.prompt} {zlib.crc32(asked_query.prompt.encode())}"


@pytest.mark.vllm
def test_real_llms_are_recorded(nano_servers: Pool, nano_queries: QuerySet, tmp_path: Path):
    done = record(nano_servers, nano_queries, tmp_path / "out.parquet", repeats=2, concurrency=4)
    assert done.n_failed == 0
    assert done.table is not None
    assert done.table.n_queries == len(nano_queries)
    assert (done.table.cost_usd > 0).all()
    assert (done.table.integers("completion_tokens") > 0).all()
    assert set(done.table.metadata["weights_sha256"]) == set(nano_servers.llm_names)
    for query in range(done.table.n_queries):
        for llm in range(done.table.n_llms):
            assert done.table.text("response", query, llm, 0) == done.table.text("response", query, llm, 1)


def test_a_table_says_under_which_loads_its_outcomes_were_recorded(tmp_path: Path, server: CountingServer):
    run(tmp_path, server, concurrency=4, budget=Budget(max_requests=N_TOTAL - 1))
    table = run(tmp_path, server, concurrency=1, resume=True).table
    assert table is not None
    assert table.metadata["concurrency"] == 4
    assert table.notes == ("Recorded in runs with 1 and 4 requests in flight: latencies are under different loads.",)
    with pytest.raises(ValueError, match="recorded with 4 requests in flight"):
        check_recorded_alone(table)


def test_loads_of_outcomes_that_a_table_does_not_have_do_not_count(tmp_path: Path, server: CountingServer):
    """Those of the first run are errors that the second asks again; those of the third are of another query."""
    server.status = lambda number, llm, prompt: 400
    run(tmp_path, server, concurrency=4, queries=QUERIES[:1], repeats=1)
    server.status = lambda number, llm, prompt: 200
    run(tmp_path, server, concurrency=2, queries=QUERIES[:1], repeats=1, resume=True, retry_errors=True)
    (tmp_path / "out.parquet").unlink()
    run(tmp_path, server, concurrency=8, queries=QUERIES[1:], repeats=1, resume=True)
    (tmp_path / "out.parquet").unlink()
    table = run(tmp_path, server, concurrency=1, queries=QUERIES[:1], repeats=1, resume=True).table
    assert table is not None
    assert (table.metadata["concurrency"], table.notes) == (2, ())
