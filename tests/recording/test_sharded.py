"""Recording on a Ray cluster: shards of the queries, a lost machine, and what comes of it."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from counting_server import counting_server

from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.recording import record, record_sharded
from llm_routing_env.recording.sharded import _merge, _shares
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

QUERIES = QuerySet(
    Query(
        f"q{number}", "art" if number % 2 else "chess", "test" if number % 3 else "train", f"Question {number}?", ("4",)
    )
    for number in range(40)
)


def pool_at(base_url: str) -> Pool:
    return Pool("counted", tuple(LLMSpec(name, 1.0, 2.0, base_url=base_url, max_tokens=5) for name in ("a", "b")))


@pytest.mark.timeout(240)
@pytest.mark.cluster
def test_shards_become_one_table_and_a_killed_machine_loses_nothing(ray_cluster, tmp_path: Path):
    doomed = ray_cluster.add_node(num_cpus=1)
    killed = []

    def kill_once_under_way(done: int, total: int, spent_usd: float) -> None:
        if done >= 10 and not killed:
            killed.append(done)
            ray_cluster.remove_node(doomed, allow_graceful=False)

    with counting_server() as server:
        result = record_sharded(
            pool_at(server.base_url),
            QUERIES,
            tmp_path / "out.parquet",
            address=ray_cluster.address,
            shards=4,
            repeats=2,
            on_progress=kill_once_under_way,
        )
        asked = Counter((answer.llm, answer.prompt) for answer in server.answers)
    assert killed
    assert (result.n_recorded, result.n_total, result.n_failed) == (160, 160, 0)
    table = OutcomeTable.read(tmp_path / "out.parquet")
    assert [query.query_id for query in table.queries] == [query.query_id for query in QUERIES]
    assert table.metadata["queries_sha256"] == QUERIES.sha256
    assert table.metadata["concurrency"] == 4
    assert not table.failed.any()
    # Paid for twice is only what was in flight, one request a shard, when the machine was lost; a request that was
    # written down but not sent yet is reported too.
    assert 0 <= sum(asked.values()) - 160 <= result.n_lost <= 4
    kept = {table.text("response", q, llm, r) for q in range(40) for llm in range(2) for r in range(2)}
    assert len(kept) == 160


def test_a_table_in_parts_is_the_whole_table(tmp_path: Path):
    """Concatenated shards equal one recording, but for the time it took and what the server numbered."""
    with counting_server() as server:
        pool = pool_at(server.base_url)
        parts = [record(pool, part, tmp_path / f"{i}.parquet") for i, part in enumerate((QUERIES[:15], QUERIES[15:]))]
        whole = record(pool, QUERIES, tmp_path / "whole.parquet").table
    merged = OutcomeTable.concatenate([part.table for part in parts], {"queries_sha256": QUERIES.sha256})
    np.testing.assert_array_equal(merged.cost_usd, whole.cost_usd)
    assert merged.queries.sha256 == whole.queries.sha256 == merged.metadata["queries_sha256"]
    assert merged.cost_scale_usd == pytest.approx(whole.cost_scale_usd)
    assert merged.llm_names == whole.llm_names


def test_bounds_are_cut_among_the_shards_and_add_up_to_no_more():
    parts = [QUERIES[:7], QUERIES[7:20], QUERIES[20:]]
    usd, requests = zip(*_shares(parts, 10.0, 25), strict=True)
    assert usd == pytest.approx((1.75, 3.25, 5.0))
    assert requests == (4, 8, 13)  # 25 * 7/40 = 4.4, 25 * 20/40 = 12.5
    assert _shares(parts, None, None) == [(None, None)] * 3


def test_bad_arguments_are_refused_before_a_cluster_is_asked(tmp_path: Path):
    pool = pool_at("http://127.0.0.1:9/v1")
    with pytest.raises(ValueError, match="shards must be 1 or more, got 0"):
        record_sharded(pool, QUERIES, tmp_path / "out.parquet", shards=0)
    with pytest.raises(ValueError, match="concurrency must be 1 to 1000000, got 1000000000"):
        record_sharded(pool, QUERIES, tmp_path / "out.parquet", concurrency=10**20)
    with pytest.raises(ValueError, match="max_requests must be 0 or more, got -1"):
        record_sharded(pool, QUERIES, tmp_path / "out.parquet", max_requests=-1)
    (tmp_path / "out.parquet.shards").mkdir()
    with pytest.raises(ValueError, match="Go on with it by --resume"):
        record_sharded(pool, QUERIES, tmp_path / "out.parquet")


def test_shards_that_were_recorded_under_other_loads_become_one_table_that_says_so(tmp_path: Path):
    """As a resumed run with another concurrency leaves them: the table has the most of any shard, times two shards."""
    folder = tmp_path / "shards"
    folder.mkdir()
    ended = []
    with counting_server() as server:
        for number, (part, load) in enumerate(((QUERIES[:15], 1), (QUERIES[15:], 3))):
            path = folder / f"{number}.parquet"
            ended.append((record(pool_at(server.base_url), part, path, repeats=1, concurrency=load), (path, load)))
    table = _merge(ended, QUERIES, tmp_path / "out.parquet", folder).table
    assert table is not None
    assert table.query_ids == tuple(query.query_id for query in QUERIES)
    assert table.metadata["concurrency"] == 6
    assert table.notes == ("Recorded in runs with 1 and 3 requests in flight: latencies are under different loads.",)
