"""Fixtures of the whole suite: a state directory per test, and the nano pool live, once per run."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy comes: threads of two workers fight over the cores

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from llm_routing_env.pools.pool import Pool, load_pool
from llm_routing_env.serving.endpoints import STATE_DIR_VARIABLE
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.shipped import DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs vLLM where it is not installed."""
    if find_spec("vllm") is None:
        for item in items:
            if item.get_closest_marker("vllm"):
                item.add_marker(pytest.mark.skip(reason="vLLM is not installed"))


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep a test away from the user's own servers."""
    folder = tmp_path / "state"
    monkeypatch.setenv(STATE_DIR_VARIABLE, str(folder))
    return folder


@pytest.fixture(scope="session")
def nano_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """Return the nano pool, served by vLLM until the run ends, its LLMs with their base URLs."""
    from llm_routing_env.serving import serve

    pool = load_pool("nano")
    with serve(pool, state_dir=tmp_path_factory.mktemp("serving"), timeout_s=540.0) as urls:
        yield replace(pool, llms=tuple(replace(llm, base_url=urls[llm.name]) for llm in pool.llms))


@pytest.fixture(scope="session")
def nano_inprocess() -> Pool:
    """Return the nano pool; its engines start with the first query and are shared by the whole run."""
    return load_pool("nano")


@pytest.fixture(scope="session")
def nano_queries() -> QuerySet:
    """Return two queries of each of the nano pool's contexts."""
    queries = QuerySet.read(DATA / "nano" / "queries.jsonl")
    return QuerySet(
        query for context in queries.contexts for query in [query for query in queries if query.context == context][:2]
    )


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """Return a Ray cluster on loopback: one node that stays, to which tests add nodes that do not."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"  # else a suite started by uv would rebuild its environment
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    yield nodes
    ray.shutdown()
    nodes.shutdown()
