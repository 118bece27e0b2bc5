"""The live vector environment equals scalar live environments, asks all LLMs at once, and is never held up for long."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from faulty_server import FaultyServer, faulty_server
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from steps import assert_same_steps
from tables import random_table, write_random_table

from llm_routing_env.backends import Request, TableBackend, ask, make_backend
from llm_routing_env.backends.base import Answers
from llm_routing_env.envs import PickLLMEnv, PickLLMLiveVectorEnv
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.queries import Query
from llm_routing_env.tables.table import OutcomeTable

N = 3


class RecordedLLMs:
    """Answers as a table does, the last request first, with an error now and then and a time to the first token."""

    def __init__(self, table: OutcomeTable) -> None:
        self._table = TableBackend(table, table.scorer)
        self.llm_names = table.llm_names
        self.batches: list[list[Request]] = []
        self.interrupts = self.is_closed = False

    def _answer(self, query: Query, llm: int) -> Outcome:
        outcome = replace(ask(self._table, query, llm), accuracy=None, ttft_s=0.25 if llm else None)
        if (len(query.prompt) + int(query.query_id.split("-")[1]) + llm) % 5 == 0:
            return replace(outcome, response="", error="HTTP 500: dead")
        return outcome

    def ask_many(self, requests: Iterable[Request]) -> Answers:
        self.batches.append(list(requests))
        for number, request in reversed(list(enumerate(self.batches[-1]))):
            if self.interrupts:
                raise KeyboardInterrupt
            yield number, self._answer(request.query, request.llm)

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> OutcomeTable:
    return OutcomeTable.read(write_random_table(tmp_path_factory.mktemp("tables"), per_context=9))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    context=st.sampled_from([None, "art", "mixed"]),
    split=st.sampled_from(["train", "test", "all"]),
    observation=st.sampled_from(["embedding", "features", "context", "none"]),
    reward=st.sampled_from(["pickllm", "additive"]),
    info=st.sampled_from(["full", "numbers", "none"]),
    mode=st.sampled_from(["SAME_STEP", "NEXT_STEP", "DISABLED"]),
    length=st.integers(1, 8),
)
def test_a_vector_equals_gymnasiums_own_vector_of_scalar_environments(
    table: OutcomeTable, seed: int, mode: str, length: int, **arguments: Any
):
    arguments |= {"table": table, "backend": RecordedLLMs(table)}
    ours = PickLLMLiveVectorEnv(N, length, mode, **arguments)
    theirs = SyncVectorEnv([lambda: TimeLimit(PickLLMEnv(**arguments), length)] * N, autoreset_mode=AutoresetMode[mode])
    assert_same_steps(ours, theirs, seed=seed, mode=mode, n_steps=3 * length, equal=assert_equal)


def assert_equal(ours: Any, theirs: Any) -> None:
    """Compare nested tuples and dicts of arrays, NaN being equal to NaN."""
    if isinstance(ours, dict):
        assert set(ours) == set(theirs)
        for key in ours.keys() - {"spent_usd", "_spent_usd"}:  # theirs have a budget each
            assert_equal(ours[key], theirs[key])
    elif isinstance(ours, tuple):
        for a, b in zip(ours, theirs, strict=True):
            assert_equal(a, b)
    else:
        assert ours.dtype == theirs.dtype
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_equal(a, b)


def test_one_step_asks_every_session_s_query_at_once(table: OutcomeTable):
    backend = RecordedLLMs(table)
    env = PickLLMLiveVectorEnv(4, 9, "DISABLED", table, backend, observation="none", info="full")
    _, asked = env.reset(seed=0, options={"context": ["art", "chess", "art", "biology"]})
    env.step(np.array([3, 0, 1, 2]))
    (batch,) = backend.batches
    assert [request.query.query_id for request in batch] == asked["query_id"].tolist()
    assert [request.llm for request in batch] == [3, 0, 1, 2]
    assert [request.query.context for request in batch] == ["art", "chess", "art", "biology"]


def test_an_interrupted_step_leaves_the_sessions_where_they_were(table: OutcomeTable):
    backend = RecordedLLMs(table)
    env = PickLLMLiveVectorEnv(2, 9, "DISABLED", table, backend, observation="none")
    env.reset(seed=0)
    backend.interrupts = True
    with pytest.raises(KeyboardInterrupt):
        env.step(np.array([0, 1]))
    backend.interrupts = False
    env.step(np.array([0, 1]))
    assert backend.batches[0] == backend.batches[1]


def test_the_time_to_the_first_token_is_given_where_known(table: OutcomeTable):
    for info in ("numbers", "full"):
        env = PickLLMLiveVectorEnv(2, 9, "DISABLED", table, RecordedLLMs(table), observation="none", info=info)
        env.reset(seed=0)
        np.testing.assert_equal(env.step(np.array([0, 1]))[4]["ttft_s"], [np.nan, 0.25])


def test_close_closes_the_backend(table: OutcomeTable):
    backend = RecordedLLMs(table)
    env = PickLLMLiveVectorEnv(2, 9, table=table, backend=backend, observation="none")
    env.close()
    env.close()
    assert backend.is_closed


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


def pool_of(server: FaultyServer, *models: str, deadline_s: float = 30.0) -> Pool:
    return Pool("p", tuple(LLMSpec(model, 1, 1, base_url=server.base_url) for model in models), deadline_s=deadline_s)


def live(pool: Pool, num_envs: int, **arguments: Any) -> PickLLMLiveVectorEnv:
    arguments = {"observation": "none", "info": "full", "autoreset_mode": "DISABLED", **arguments}
    return PickLLMLiveVectorEnv(num_envs, table=random_table(), pool=pool, **arguments)


def zeros(env: PickLLMLiveVectorEnv) -> Any:
    return np.zeros(env.num_envs, dtype=int)


@pytest.mark.parametrize("max_in_flight", [3, 64])
def test_the_requests_of_a_step_overlap_within_their_bound(server: FaultyServer, max_in_flight: int):
    env = live(pool_of(server, "a little slow"), 12, max_in_flight=max_in_flight)
    env.reset(seed=0)
    for _ in range(2):
        info = env.step(zeros(env))[4]
        assert info["response"].tolist() == ["Paris."] * 12
    env.close()
    assert 1 < server.most_in_flight <= min(12, max_in_flight)
    assert server.connections <= min(12, max_in_flight)  # kept from step to step


def test_an_llm_has_its_own_bound(server: FaultyServer):
    pool = pool_of(server, "a little slow", "good")
    pool = replace(pool, llms=(replace(pool.llms[0], max_in_flight=2), pool.llms[1]))
    env = live(pool, 12)
    env.reset(seed=0)
    info = env.step(np.arange(12) % 2)[4]
    env.close()
    assert info["error"].tolist() == [""] * 12
    assert server.most_in_flight_of["a little slow"] == 2


@pytest.mark.parametrize("max_in_flight", [2, 64])
def test_an_llm_that_hangs_costs_its_own_sessions_only_and_ends_at_the_deadline(
    server: FaultyServer, max_in_flight: int
):
    env = live(pool_of(server, "slow", "good", deadline_s=0.5), 6, max_in_flight=max_in_flight)
    env.reset(seed=0)
    _, rewards, _, _, info = env.step(np.array([0, 0, 0, 1, 1, 1]))
    for error in info["error"][:3]:
        assert error.startswith(("no response within the deadline of 0.5 s", "no place in flight within the deadline"))
    assert rewards[:3].tolist() == [env.task.reward_bounds[0]] * 3
    assert info["response"][3:].tolist() == ["Paris."] * 3
    info = env.step(np.ones(6, dtype=int))[4]  # the sessions go on
    env.close()
    assert info["response"].tolist() == ["Paris."] * 6


def test_it_works_inside_a_running_loop(server: FaultyServer):
    async def cell() -> Any:
        env = live(pool_of(server, "good"), 4)
        env.reset(seed=0)
        responses = env.step(zeros(env))[4]["response"].tolist()
        env.close()
        return responses

    assert asyncio.run(cell()) == ["Paris."] * 4


@pytest.mark.parametrize("stream", [False, True])
def test_a_stream_measures_the_time_to_the_first_token(server: FaultyServer, stream: bool):
    arguments = {"stream": stream, "info": "numbers"}
    env = live(pool_of(server, "good"), 4, **arguments)
    env.reset(seed=0)
    info = env.step(zeros(env))[4]
    env.close()
    assert np.isfinite(info["ttft_s"]).all() == stream
    scalar = PickLLMEnv(random_table(), backend="vllm", pool=pool_of(server, "good"), observation="none", **arguments)
    scalar.reset(seed=0)
    info = scalar.step(0)[4]
    scalar.close()
    assert np.isfinite(info["ttft_s"]) == stream


def test_make_vec_makes_it_from_plain_arguments(server: FaultyServer, tmp_path: Path):
    llms = "".join(
        f'[[llm]]\nname = "llm-{number}"\nserved_name = "good"\nbase_url = "{server.base_url}"\n'
        "input_price_usd_per_mtok = 1.0\noutput_price_usd_per_mtok = 1.0\n"
        for number in range(4)
    )
    (tmp_path / "pool.toml").write_text(f'name = "p"\n{llms}')
    env = gym.make_vec(
        "PickLLMLive-v0",
        num_envs=5,
        table=str(write_random_table(tmp_path)),
        pool=str(tmp_path / "pool.toml"),
        max_in_flight=2,
        context="art",
        info="full",
    )
    assert isinstance(env, PickLLMLiveVectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
    env.reset(seed=1)
    _, _, _, truncated, info = env.step(np.arange(5) % 4)
    assert not truncated.any()
    assert info["llm"].tolist() == ["llm-0", "llm-1", "llm-2", "llm-3", "llm-0"]
    assert (info["regret"] >= 0).all()
    assert env.spec is not None
    env.close()
    assert server.most_in_flight <= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backend": "table"}, "asks no LLM"),
        ({"backend": "vlm"}, "Unknown backend 'vlm'. Did you mean 'vllm'"),
        ({"backend": "vllm-inprocess", "stream": True}, "gives ttft_s without it"),
        ({"max_in_flight": 0}, "max_in_flight must be 1 or more, got 0"),
        ({"num_envs": 0}, "num_envs must be 1 or more, got 0"),
        ({"max_episode_steps": 0}, "max_episode_steps must be 1 or more, got 0"),
        ({"autoreset_mode": "SAME"}, "Unknown autoreset_mode 'SAME'"),
        ({"info": "all"}, "Unknown info 'all'"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str):
    pool = Pool("p", (LLMSpec("a", 1, 1, model="m", base_url="http://127.0.0.1:1/v1"),))
    with pytest.raises(ValueError, match=message):
        PickLLMLiveVectorEnv(**{"table": random_table(), "pool": pool, "observation": "none", **arguments})


def test_a_backend_of_other_llms_is_refused(table: OutcomeTable, server: FaultyServer):
    with pytest.raises(ValueError, match="The backend has the LLMs"):
        PickLLMLiveVectorEnv(2, table=table, backend=make_backend("vllm", pool_of(server, "good")))


def test_recorded_outcomes_are_not_streamed():
    with pytest.raises(ValueError, match="stream=True needs a live backend"):
        PickLLMEnv(random_table(), stream=True)


def test_steps_before_reset_and_after_the_end_are_refused(table: OutcomeTable):
    env = PickLLMLiveVectorEnv(1, 1, "DISABLED", table, RecordedLLMs(table), observation="none")
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(np.array([0]))
    env.reset(seed=0)
    env.step(np.array([0]))
    with pytest.raises(RuntimeError, match="Session 0 has ended"):
        env.step(np.array([0]))
