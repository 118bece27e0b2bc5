"""The scalar environment: sessions, rewards, info, truth, refusals."""

from collections.abc import Iterable
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from tables import queries, random_table, records

from llm_routing_env.backends import Request
from llm_routing_env.backends.base import Answers
from llm_routing_env.envs import PickLLMEnv
from llm_routing_env.tables.outcome import Outcome
from llm_routing_env.tables.table import OutcomeTable


def by_hand() -> OutcomeTable:
    """Two contexts, two queries each (test split), two LLMs, one repeat; the second LLM wins in "b" only."""
    asked = [q for q in queries(3, ["a", "b"]) if q.split == "test"]
    accuracy = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])[..., None]
    cost = np.broadcast_to(np.array([1e-5, 2e-5])[None, :, None], (4, 2, 1))
    latency = np.broadcast_to(np.array([0.01, 0.1])[None, :, None], (4, 2, 1))
    return OutcomeTable.from_records(
        asked, ["small", "big"], records(asked, ["small", "big"], accuracy, cost, latency), {}
    )


def test_rewards_and_regrets_by_hand():
    env = PickLLMEnv(by_hand(), observation="none", context="a")
    env.reset(seed=0)
    # small: (1 - .5 * .5) / (.5 * 1) = 1.5; big: (0 - .5 * 1) / (.5 * 2) = -.5
    _, reward, terminated, truncated, info = env.step(1)
    assert reward == pytest.approx(-0.5)
    assert info["regret"] == pytest.approx(2.0)
    assert info["oracle_regret"] == pytest.approx(2.0)
    assert info["optimal_action"] == 0
    assert info["reward_terms"] == pytest.approx({"accuracy": 0.0, "cost": 0.5, "latency": 1.0})
    assert (terminated, truncated) == (False, False)
    _, reward, terminated, truncated, info = env.step(0)
    assert reward == pytest.approx(1.5)
    assert info["regret"] == 0
    assert (terminated, truncated) == (False, True)  # the context has no more queries
    np.testing.assert_allclose(env.expected_rewards("a"), [1.5, -0.5])
    with pytest.raises(RuntimeError, match="no query left"):
        env.step(0)


def test_info_says_what_happened():
    env = PickLLMEnv(random_table(), observation="context", context="chess")
    _, asked = env.reset(seed=1)
    _, _, _, _, info = env.step(2)
    assert info["query_id"] == asked["query_id"]
    assert info["prompt"] == asked["prompt"]
    assert (info["llm"], info["response"], info["error"]) == ("llm-2", "answer 2", "")
    assert (info["prompt_tokens"], info["completion_tokens"]) == (10, 5)
    assert info["context"] == "chess"
    assert info["next_prompt"].startswith("chess question")


@pytest.mark.parametrize(("info", "keys"), [("none", 0), ("numbers", 9)])
def test_less_info_on_request(info: str, keys: int):
    env = PickLLMEnv(random_table(), observation="none", info=info)
    assert env.reset(seed=0)[1] == {}
    assert len(env.step(0)[4]) == keys


def test_a_session_has_each_query_of_its_context_once():
    env = PickLLMEnv(random_table(), observation="none", context="art", split="all")
    _, info = env.reset(seed=0)
    seen, truncated = [], False
    while not truncated:
        _, _, _, truncated, info = env.step(0)
        seen.append(info["query_id"])
    assert sorted(seen) == sorted(f"art-{i}" for i in range(30))


def test_draws_do_not_depend_on_the_actions():
    streams = []
    for action in (0, 3):
        env = PickLLMEnv(random_table(), observation="none")
        env.reset(seed=7)
        streams.append([env.step(action)[4]["query_id"] for _ in range(10)] + [env.reset()[1]["query_id"]])
    assert streams[0] == streams[1]


def test_contexts_are_drawn_evenly_and_options_choose():
    env = PickLLMEnv(random_table(), observation="none")
    drawn = [env.reset(seed=seed)[1]["context"] for seed in range(600)]
    for context in ("art", "biology", "chess"):
        assert 150 < drawn.count(context) < 250  # 200 expected, 4.3 standard deviations
    assert env.reset(options={"context": "chess"})[1]["context"] == "chess"
    env.reset(options={"context": "mixed"})
    assert len({env.step(0)[4]["context"] for _ in range(40)}) == 3


def test_sessions_without_a_length_end_with_the_table_and_make_truncates():
    env = gym.make("PickLLM-v0", max_episode_steps=3, observation="none")
    env.reset(seed=0)
    assert [env.step(0)[3] for _ in range(3)] == [False, False, True]


def test_a_failed_call_in_the_table_gets_the_lowest_reward():
    asked = queries(3, ["a"])
    rows = records(asked, ["x", "y"], np.ones((3, 2, 1)), 1e-5, 0.1)
    for row in rows:
        if row["llm"] == "y":
            row |= {"error": "timeout", "response": "", "accuracy_exact_match": 0.0}
    env = PickLLMEnv(OutcomeTable.from_records(asked, ["x", "y"], rows, {}), observation="none", split="all")
    env.reset(seed=0)
    _, reward, _, _, info = env.step(1)
    assert reward == env.task.reward_bounds[0] < 0
    assert (info["error"], info["accuracy"]) == ("timeout", 0.0)


class FailingBackend:
    """A live pool of the table's LLMs, the second of which always fails."""

    llm_names = ("llm-0", "llm-1", "llm-2", "llm-3")
    closed = 0

    def ask_many(self, requests: Iterable[Request]) -> Answers:
        for number, request in enumerate(requests):
            right = Outcome(request.query.references[0], 3, 2, 1e-5, 0.02)
            yield number, right if request.llm != 1 else Outcome("", 0, 0, 0.0, 1.0, error="connection refused")

    def close(self) -> None:
        self.closed += 1


def test_a_live_backend_is_scored_and_its_failures_end_in_the_lowest_reward():
    backend = FailingBackend()
    env = PickLLMEnv(random_table(), backend=backend, observation="none")
    env.reset(seed=0)
    _, right, _, _, info = env.step(0)
    assert (info["accuracy"], info["error"]) == (1.0, "")
    assert right > 0
    _, failed, _, _, info = env.step(1)
    assert failed == env.task.reward_bounds[0]
    assert info["error"] == "connection refused"
    env.close()
    env.close()
    assert backend.closed == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"table": "nana"}, "Unknown table 'nana'. Did you mean 'nano'"),
        ({"backend": "vlm"}, "Unknown backend 'vlm'. Did you mean 'vllm'"),
        ({"context": "maths"}, "Unknown context 'maths'. Did you mean 'math'"),
        ({"split": "tets"}, "Unknown split 'tets'. Did you mean 'test'"),
        ({"observation": "embeding"}, "Unknown observation 'embeding'. Did you mean 'embedding'"),
        ({"reward": "aditive"}, "Unknown reward 'aditive'. Did you mean 'additive'"),
        ({"scorer": "final"}, "Unknown scorer 'final'. .*Known: "),
        ({"info": "all"}, "Unknown info 'all'"),
        ({"weights": (1, 2)}, "weights must be three"),
        ({"pool": "nan0", "backend": "vllm"}, "Unknown pool 'nan0'"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(arguments: dict[str, object], message: str):
    with pytest.raises(ValueError, match=message):
        PickLLMEnv(**arguments)


def test_bad_actions_and_options_are_refused():
    env = PickLLMEnv(random_table(), observation="none")
    with pytest.raises(RuntimeError, match="call reset"):
        env.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action must be 0 to 3, got 4"):
        env.step(4)
    with pytest.raises(ValueError, match="Unknown reset option 'topic'"):
        env.reset(options={"topic": "art"})
    with pytest.raises(ValueError, match="Unknown context 'arts'"):
        env.reset(options={"context": "arts"})


def test_embeddings_that_do_not_exist_are_said_so(tmp_path: Path):
    random_table().write(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="has no embeddings beside it"):
        PickLLMEnv(tmp_path / "t.parquet")


def best_llms(reward: str, weights: tuple[float, float, float]) -> list[int]:
    env = PickLLMEnv(observation="none", reward=reward, weights=weights)
    return [int(np.argmax(env.expected_rewards(context))) for context in env.problem.contexts]


@pytest.mark.parametrize("form", ["pickllm", "additive"])
def test_the_cost_weight_changes_which_llm_is_best(form: str):
    assert best_llms(form, (1, 0, 0.1)) != best_llms(form, (1, 3, 0.1))


def test_the_latency_weight_changes_which_llm_is_best_in_the_additive_form_only():
    assert best_llms("additive", (1, 0.5, 0)) != best_llms("additive", (1, 0.5, 3))
    assert best_llms("pickllm", (1, 0.5, 0.1)) == best_llms("pickllm", (1, 0.5, 3))


@pytest.mark.parametrize("action", [1.7, 1.0, "2", True, np.bool_(True), np.array([1, 2]), np.array(1.0), None])
def test_an_action_that_is_no_integer_is_refused_as_by_the_vector_environment(action: object):
    env = PickLLMEnv(random_table(), observation="none")
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action must be an integer"):
        env.step(action)  # type: ignore[arg-type]


def test_actions_may_be_of_any_integer_type():
    rewards = set()
    for action in (3, np.int64(3), np.uint8(3), np.array(3), np.array(3, dtype=np.int16)):
        env = PickLLMEnv(random_table(), observation="none")
        env.reset(seed=0)
        rewards.add(env.step(action)[1])  # type: ignore[arg-type]
    assert len(rewards) == 1
