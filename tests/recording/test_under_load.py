"""Measuring latency under load, with a backend that is exactly as slow as it is busy."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from tables import random_table

from llm_routing_env.backends import Request
from llm_routing_env.backends.base import Answers
from llm_routing_env.pools.load_curve import LoadCurve, load_curves
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.recording import measure_load
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable

TABLE = random_table(per_context=5, n_llms=2, n_repeats=1)
POOL = Pool("shared", tuple(LLMSpec(name, 1.0, 2.0, base_url="http://host/v1") for name in TABLE.llm_names))


class SharingBackend:
    """A call on LLM i takes (i + 1) * 10 ms for every request under way when it ends; the first call of all, 9 s."""

    llm_names = POOL.llm_names

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[tuple[int, int, list[str]]] = []
        self.fails = fails
        self.is_cold = True

    def ask_many(self, requests: Iterable[Request], *, concurrency: int | None = None) -> Answers:
        numbered, under_way = enumerate(requests), deque[tuple[int, Request]]()
        queries: list[str] = []
        while True:
            under_way.extend(islice(numbered, (concurrency or 0) - len(under_way)))
            if not under_way:
                return
            busy_s = 0.01 * len(under_way)
            number, request = under_way.popleft()
            if not queries:
                self.asked.append((request.llm, concurrency or 0, queries))
            queries.append(request.query.query_id)
            latency_s, self.is_cold = (9.0 if self.is_cold else busy_s * (request.llm + 1)), False
            yield number, Outcome("yes", 3, 1, 0.0, latency_s, error="HTTP 429: slow down" if self.fails else None)

    def close(self) -> None: ...


def measure(backend: SharingBackend | None = None, **options: Any) -> dict[str, Any]:
    options = {"concurrency": (1, 3, 8), "n_requests": 5, **options}
    return measure_load(POOL, TABLE, backend=backend or SharingBackend(), **options)


def test_only_requests_under_full_load_count_and_none_of_a_cold_engine():
    measured = measure()
    assert measured["llms"] == {
        "llm-0": {
            "concurrency": [1, 3, 8],
            "latency_s": pytest.approx([0.01, 0.03, 0.08]),
            "p95_latency_s": pytest.approx([0.01, 0.03, 0.08]),
            "n_requests": 5,
        },
        "llm-1": {
            "concurrency": [1, 3, 8],
            "latency_s": pytest.approx([0.02, 0.06, 0.16]),
            "p95_latency_s": pytest.approx([0.02, 0.06, 0.16]),
            "n_requests": 5,
        },
    }


def test_one_llm_after_the_other_is_asked_the_same_queries_at_every_load():
    backend = SharingBackend()
    measure(backend)
    assert [(llm, load) for llm, load, _ in backend.asked] == [
        (0, 8), (0, 1), (0, 3), (0, 8), (1, 8), (1, 1), (1, 3), (1, 8),
    ]  # fmt: skip
    warm_up = backend.asked[0][2]
    assert [len(queries) for _, _, queries in backend.asked[:4]] == [12, 5, 7, 12]
    for _, load, queries in backend.asked:
        assert queries == warm_up[: 5 + load - 1]


def test_the_seed_chooses_the_queries():
    def asked(seed: int) -> list[tuple[int, int, list[str]]]:
        backend = SharingBackend()
        measure(backend, seed=seed)
        return backend.asked

    assert asked(1) == asked(1) != asked(2)


def test_the_metadata_says_where_the_numbers_come_from():
    measured = measure(seed=7)
    assert measured["seed"] == 7
    assert measured["hardware"]["cores"] >= 1
    assert measured["pool"]["llm"][0]["name"] == "llm-0"
    assert measured["measured_at"].endswith("+00:00")


def test_what_is_measured_is_what_a_written_table_gives(tmp_path: Path):
    TABLE.with_metadata({"load_curve": measure()}).write(tmp_path / "t.parquet")
    again = OutcomeTable.read(tmp_path / "t.parquet")
    steep = LoadCurve((1, 3, 8), tuple(again.metadata["load_curve"]["llms"]["llm-1"]["latency_s"]))
    assert load_curves(again)[1] == steep
    assert steep.slowdown(5) == pytest.approx(5.0)  # as slow as it is busy
    assert again.metadata["pool"] == TABLE.metadata["pool"]
    assert again.latency_s.tolist() == TABLE.latency_s.tolist()
    assert again.texts("response").tolist() == TABLE.texts("response").tolist()


def test_progress_counts_points():
    steps: list[tuple[int, int]] = []
    measure(on_progress=lambda done, total: steps.append((done, total)))
    assert steps == [(done, 8) for done in range(1, 9)]


def test_a_failure_ends_the_measurement_at_once():
    backend = SharingBackend(fails=True)
    with pytest.raises(RuntimeError, match="'llm-0' failed with 8 in flight, so nothing was kept: HTTP 429: slow down"):
        measure(backend)
    assert [len(queries) for _, _, queries in backend.asked] == [1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": (1,)}, "two whole numbers or more"),
        ({"concurrency": (4, 16)}, "rising from 1"),
        ({"n_requests": 0}, "requests must be 1 to 1000000, got 0"),
        ({"n_requests": 10**14}, "requests must be 1 to 1000000, got 100000000000000"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        measure(**options)


def test_other_llms_than_the_tables_are_refused():
    other = replace(POOL, llms=tuple(reversed(POOL.llms)))
    with pytest.raises(ValueError, match=r"The pool has the LLMs .*, the table .* has"):
        measure_load(other, TABLE, backend=SharingBackend())


def test_an_llm_that_may_not_get_so_many_requests_is_refused():
    narrow = replace(POOL, llms=(POOL.llms[0], replace(POOL.llms[1], max_in_flight=4)))
    with pytest.raises(ValueError, match=r"'llm-1' gets at most 4 requests at once .* concurrency of 8"):
        measure_load(narrow, TABLE, backend=SharingBackend(), concurrency=(1, 8))


def test_a_table_recorded_under_load_is_refused():
    with pytest.raises(ValueError, match="recorded with 2 requests in flight"):
        measure_load(POOL, TABLE.with_metadata({"concurrency": 2}), backend=SharingBackend())
