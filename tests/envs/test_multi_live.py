"""Several asks of live LLMs: asks really go out, each once, and steps are those of the same answers when recorded."""

from collections.abc import Iterable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from counting_server import CountingServer, counting_server
from tables import queries, random_table, records

from llm_routing_env.backends import Request, TableBackend
from llm_routing_env.backends.base import Answers
from llm_routing_env.envs import PickLLMMultiEnv, PickLLMMultiVectorEnv
from llm_routing_env.pools.pool import LLMSpec, Pool
from llm_routing_env.tables.table import OutcomeTable

VOTE = 4


def answering_table() -> OutcomeTable:
    """Return a table of one repeat whose accuracies are what the scorer says of its responses."""
    rng, asked, llms = np.random.default_rng(0), queries(9), [f"llm-{i}" for i in range(4)]
    shape = (len(asked), 4, 1)
    rows = records(asked, llms, 0, rng.uniform(1e-6, 1e-4, shape), rng.uniform(0.02, 0.3, shape))
    for row, kind in zip(rows, rng.integers(5, size=len(rows)), strict=True):
        right = f"answer {row['query_id'].split('-')[1]}"
        row["response"] = (right, right, "B", "", None)[kind]
        row["error"] = "timeout" if kind == 4 else None
        row["accuracy_exact_match"] = float(kind < 2)
    return OutcomeTable.from_records(asked, llms, rows, {"pool": {"name": "hand"}})


TABLE = answering_table()


class Recorder(TableBackend):
    """Answers as the table does, and keeps what was asked."""

    def __init__(self) -> None:
        super().__init__(TABLE, TABLE.scorer)
        self.batches: list[list[tuple[str, int]]] = []
        self.is_closed = False

    def ask_many(self, requests: Iterable[Request]) -> Answers:
        requests = list(requests)
        self.batches.append([(request.query.query_id, request.llm) for request in requests])
        return super().ask_many(requests)

    def close(self) -> None:
        self.is_closed = True


def without_money(info: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in info.items() if name not in ("spent_usd", "_spent_usd")}


@pytest.mark.parametrize("options", [{}, {"parallel": True}, {"max_asks": 2}, {"episode": "query"}])
def test_the_same_answers_give_the_same_steps(options: dict[str, Any]):
    options = {"observation": "features", "n_queries": 5, "weights": (1, 0.3, 0.2)} | options
    backend = Recorder()
    live, recorded = PickLLMMultiEnv(TABLE, backend=backend, **options), PickLLMMultiEnv(TABLE, **options)
    rng = np.random.default_rng(0)
    for each in range(3):
        first, second = live.reset(seed=each), recorded.reset(seed=each)
        ended = False
        while not ended:
            np.testing.assert_array_equal(first[0], second[0])
            action = int(rng.integers(5))
            first, second = live.step(action), recorded.step(action)
            assert first[1] == pytest.approx(second[1], abs=1e-12)
            assert first[2:4] == second[2:4]
            ended = first[2] or first[3]
            for name, value in without_money(first[4]).items():
                np.testing.assert_equal(value, second[4][name])
    live.close()
    assert backend.is_closed


@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP"])
@pytest.mark.parametrize("info", ["numbers", "full"])
def test_a_vector_asks_all_sessions_at_once_and_each_llm_once(mode: str, info: str):
    options = {"observation": "none", "n_queries": 3, "info": info}
    backend = Recorder()
    live = PickLLMMultiVectorEnv(3, mode, TABLE, backend=backend, **options)
    recorded = PickLLMMultiVectorEnv(3, mode, TABLE, **options)
    live.reset(seed=0)
    recorded.reset(seed=0)
    rng, n_asks = np.random.default_rng(1), 0
    for _ in range(40):
        actions = rng.integers(5, size=3)
        first, second = live.step(actions), recorded.step(actions)
        np.testing.assert_array_equal(first[0], second[0])
        np.testing.assert_allclose(first[1], second[1], atol=1e-12)
        np.testing.assert_array_equal(first[3], second[3])
        if mode == "NEXT_STEP" and "n_asks" in first[4]:
            n_asks += int((first[4]["_n_asks"] & ~first[4]["query_done"]).sum())
    live.close()
    assert max(map(len, backend.batches)) == 3
    if mode == "NEXT_STEP":
        assert sum(map(len, backend.batches)) == n_asks


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with counting_server() as running:
        yield running


def served(server: CountingServer, **arguments: Any) -> dict[str, Any]:
    llms = tuple(LLMSpec(name, 1e6, 2e6, base_url=server.base_url, max_tokens=5) for name in TABLE.llm_names)
    options = {"table": TABLE, "backend": "vllm", "pool": Pool("counted", llms), "observation": "none"}
    return {**options, "context": "art", **arguments}


def test_asks_go_out_over_http_and_a_vote_counts_what_came_back(server: CountingServer):
    server.reply = lambda number, llm, prompt: "B" if llm == "llm-0" else f"answer {prompt.split()[-1].rstrip('?')}"
    env = PickLLMMultiEnv(**served(server, weights=(1, 0, 0), info="full"))
    _, info = env.reset(seed=0)
    prompt = info["prompt"]
    for llm in range(3):
        _, reward, *_, info = env.step(llm)
        assert (reward, info["llm"], info["query_done"]) == (0.0, f"llm-{llm}", False)
    _, reward, *_, info = env.step(VOTE)
    env.close()
    assert [(answer.llm, answer.prompt) for answer in server.answers] == [(f"llm-{llm}", prompt) for llm in range(3)]
    assert (reward, info["llm"], info["accuracy"], info["n_asks"]) == (1.0, "llm-1", 1.0, 3)
    assert info["response"] == server.answers[1].text
    assert info["spent_usd"] == pytest.approx(3 * 14)  # 10 tokens read at 1 dollar, 2 written at 2
    assert info["cost_usd"] == pytest.approx(3 * 14)


@pytest.mark.parametrize("info", ["full", "numbers", "none"])
def test_a_session_ends_when_the_budget_refuses_an_ask(server: CountingServer, info: str):
    env = PickLLMMultiEnv(**served(server, max_requests=2, info=info))
    env.reset(seed=0)
    paid = [env.step(llm)[1] for llm in (0, 1)]
    _, reward, terminated, truncated, told = env.step(2)
    assert (terminated, truncated) == (True, False)
    assert told["error"] == "the budget of 2 requests is used up"
    low = min(env.problem.reward.bounds[0], sum(paid))
    assert sum(paid) + reward == pytest.approx(max(low, env.task.reward_bounds[0]))
    assert info == "none" or (told["query_done"], told["llm_index"], told["n_asks"]) == (False, -1, 2)
    env.close()
    assert len(server.answers) == 2


def test_a_vector_ends_the_session_that_is_refused(server: CountingServer):
    env = PickLLMMultiVectorEnv(2, "DISABLED", **served(server, max_requests=3))
    env.reset(seed=0)
    env.step(np.array([0, 0]))
    _, _, terminated, truncated, info = env.step(np.array([1, 1]))
    assert sorted(terminated.tolist()) == [False, True]
    assert not truncated.any()
    assert info["_error"].tolist() == terminated.tolist()
    env.close()


def test_a_call_that_failed_says_why_and_does_not_vote(server: CountingServer):
    server.status = lambda number, llm, prompt: 400 if llm == "llm-0" else 200
    server.reply = lambda number, llm, prompt: f"answer {prompt.split()[-1].rstrip('?')}"
    env = PickLLMMultiEnv(**served(server, info="numbers"))
    env.reset(seed=0)
    assert "400" in env.step(0)[4]["error"]
    assert "error" not in env.step(1)[4]
    assert env.step(VOTE)[4]["llm_index"] == 1
    env.close()


def test_what_live_llms_cannot_give_is_refused():
    with pytest.raises(ValueError, match="of recorded outcomes: a live LLM's has none"):
        PickLLMMultiEnv(TABLE, backend=Recorder(), observation="none", measures=["confidence"])
    with pytest.raises(ValueError, match="stream=True needs a live backend"):
        PickLLMMultiEnv(TABLE, observation="none", stream=True)
    backend = Recorder()
    with pytest.raises(ValueError, match="max_asks must be 1 to 4"):
        PickLLMMultiEnv(TABLE, backend=backend, observation="none", max_asks=9)
    assert backend.is_closed
    with pytest.raises(ValueError, match="The backend has the LLMs"):
        PickLLMMultiEnv(random_table(n_llms=3), backend=Recorder(), observation="none")


@pytest.mark.vllm
def test_real_llms_are_asked_one_after_another(nano_servers: Pool):
    env = gym.make("PickLLM-Multi-v0", backend="vllm", pool=nano_servers, episode="query", weights=(1, 0.1, 0))
    _, info = env.reset(seed=0, options={"context": "math"})
    n_llms = env.action_space.n - 1
    for number in range(1, n_llms + 1):
        _, reward, *_, info = env.step(number - 1)
        assert (info["n_asks"], info["error"]) == (number, "")
        assert info["response"]
        assert reward < 0
    asked_usd = info["spent_usd"]
    _, _, terminated, _, info = env.step(n_llms)
    assert terminated
    assert info["spent_usd"] == asked_usd == pytest.approx(info["cost_usd"])
    assert info["accuracy"] in (0.0, 1.0)
    vector = gym.make_vec("PickLLM-Multi-v0", num_envs=4, backend="vllm", pool=nano_servers, n_queries=2)
    vector.reset(seed=0)
    assert vector.step(np.full(4, 0))[4]["n_asks"].tolist() == [1] * 4
    vector.close()
    env.close()
