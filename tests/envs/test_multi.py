"""Several asks for one query: rewards, votes and observations by hand, and against the rule in plain Python."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from asking import PlainAsks, voting_table
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils import seeding
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from tables import random_table, sparse_table

from llm_routing_env.agents.parts.ask_view import AskView
from llm_routing_env.envs.multi import PickLLMMultiEnv
from llm_routing_env.envs.pickllm import PickLLMEnv

VOTE = 4
TABLE = voting_table()


def made(**options: Any) -> PickLLMMultiEnv:
    return PickLLMMultiEnv(**({"table": TABLE, "observation": "none", "info": "numbers"} | options))


def saying(*responses: str | None, **options: Any) -> PickLLMMultiEnv:
    """Return an environment in whose table the LLMs say this, whatever the query."""
    return made(table=voting_table(n_llms=len(responses), response=responses), **options)


@settings(max_examples=80, deadline=None)
@given(seed=st.integers(0, 2**31), parallel=st.booleans(), max_asks=st.integers(1, 4), useful=st.booleans())
def test_every_step_is_that_of_the_rule_in_plain_python(seed: int, parallel: bool, max_asks: int, useful: bool):
    env = made(parallel=parallel, max_asks=max_asks, observation="context", context="mixed")
    seen, _ = env.reset(seed=seed)
    plain = PlainAsks(env.problem, seeding.np_random(seed)[0], parallel=parallel, max_asks=max_asks)
    rng, truncated = np.random.default_rng(seed), False
    while not truncated:
        if max_asks > 1:  # who can be asked one LLM only needs no answers compared
            np.testing.assert_allclose(seen, plain.observation(), atol=1e-6)
        action = rng.choice(np.flatnonzero(env.action_masks())) if useful else rng.integers(5)
        expected, is_done = plain.step(int(action))
        seen, reward, terminated, truncated, info = env.step(action)
        assert reward == pytest.approx(expected, abs=1e-12)
        assert (info["query_done"], terminated) == (is_done, False)
    assert plain.done == 18  # test queries


@pytest.mark.parametrize("reward", ["additive", "pickllm"])
@pytest.mark.parametrize("table", ["nano", TABLE])  # calls fail in the second
def test_asking_and_accepting_one_llm_is_routing_to_it(table: Any, reward: str):
    for llm in range(4):
        single, several = (kind(table, reward=reward, observation="none") for kind in (PickLLMEnv, PickLLMMultiEnv))
        for env in (single, several):
            env.reset(seed=5)
        for _ in range(6):
            expected = single.step(llm)[1]
            assert several.step(llm)[1] + several.step(llm)[1] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize("parallel", [False, True])
def test_the_rewards_of_a_query_add_up_to_that_of_its_answer_and_of_all_asks(parallel: bool):
    # Costs add up to 1e-4, a half of the scale; latencies to 100 ms, of which the longest is 80.
    amounts = {
        "cost_usd": (1e-5, 2e-5, 3e-5, 4e-5),
        "latency_s": (0.004, 0.08, 0.006, 0.01),
        "accuracy_exact_match": (0.0, 0.7, 0.7, 1.0),
    }
    env = made(
        table=voting_table(response=("A", "B", "B", "C"), **amounts),
        parallel=parallel,
        cost_scale_usd=2e-4,
        weights=(2, 1, 0.5),
    )
    env.reset(seed=0)
    rewards = [env.step(llm)[1] for llm in range(4)]
    if parallel:
        closing = env.step(VOTE)
        assert (closing[1], closing[4]["query_done"], closing[4]["llm_index"]) == (0.0, False, -1)
        assert AskView(closing[0], 4).is_closed.tolist() == [True]
    _, last, *_, info = env.step(VOTE)
    latency_s = 0.08 if parallel else 0.1
    assert sum(rewards) + last == pytest.approx(2 * 0.7 - 0.5 - 0.5 * np.log10(latency_s * 1000))
    assert last == pytest.approx(2 * 0.7)
    assert rewards[0] == pytest.approx(-0.05 - 0.5)  # 4 ms count as 10
    assert rewards[1] == pytest.approx(-0.1 - 0.5 * np.log10(80 if parallel else 84) + 0.5)
    told = {name: info[name] for name in ("llm_index", "n_asks", "accuracy")}
    assert told == {"llm_index": 1, "n_asks": 4, "accuracy": 0.7}
    assert info["cost_usd"] == pytest.approx(1e-4)
    assert info["latency_s"] == pytest.approx(latency_s)
    assert info["query_reward"] == pytest.approx(sum(rewards) + last)
    terms = info["reward_terms"]
    assert terms["accuracy"] - terms["cost"] - terms["latency"] == pytest.approx(info["query_reward"])


@pytest.mark.parametrize(
    ("responses", "asks", "voted"),
    [
        (("A", "B", "B"), (0, 1, 2), 1),
        (("A", "B", "B"), (0, 2, 1), 2),  # the earliest asked of them
        (("A", "B", "C"), (1, 0), 1),
        (("A", "B", "B"), (0,), 0),
        ((None, "", "C"), (0, 1, 2), 2),  # no answer, no vote
        (("", "", None, "A"), (1, 0, 2), 1),
    ],
)
def test_most_of_the_asked_decide(responses: tuple[str | None, ...], asks: tuple[int, ...], voted: int):
    env = saying(*responses)
    env.reset(seed=0)
    for llm in asks:
        env.step(llm)
    assert env.step(len(responses))[4]["llm_index"] == voted


def test_no_answer_gets_the_lower_bound_or_what_it_cost():
    env = saying(None, None, "A", "A")
    low = env.problem.reward.bounds[0]
    env.reset(seed=0)
    assert env.step(VOTE)[1] == low
    assert env.step(0)[1] + env.step(VOTE)[1] == pytest.approx(low)
    env = made(weights=(1, 1, 0), table=voting_table(response=(None, None, None, "A"), cost_usd=(1.0,) * 4))
    env.reset(seed=0)
    rewards = [env.step(action)[1] for action in (0, 1, 2, VOTE)]
    assert rewards == pytest.approx([-1, -1, -1, 0])  # nothing comes back: a call that failed is worth -1


def test_it_shows_who_was_asked_and_who_agrees():
    env = saying("A", "A", "B", "B")
    env.reset(seed=0)
    for llm in range(4):
        seen, *_ = env.step(llm)
    by_llm = seen[1:-1].reshape(4, 3)
    assert by_llm[:, 0].tolist() == [1, 0.75, 0.5, 0.25]
    assert by_llm[:, 1].tolist() == [0.25, 0.25, 0.5, 0.5]
    assert by_llm[:, 2].tolist() == [0.5] * 4
    assert env.step(VOTE)[0][1:].tolist() == [0.0] * 13  # the next query


def test_parallel_answers_are_hidden_until_the_asks_are_closed():
    env = saying("A", "A", "B", "B", parallel=True, info="full", measures=["confidence"])
    env.reset(seed=0)
    for llm in (2, 0):
        seen, *_, info = env.step(llm)
        view = AskView(seen, 4, ["confidence"])
        assert (info["llm"], info["response"]) == (f"llm-{llm}", "")
        assert not view.group.any()
        assert not view.share.any()
        assert np.isnan(view.measures["confidence"]).all()
    assert view.order.tolist() == [[2, 0, 1, 0]]
    seen, *_ = env.step(0)  # asking again closes
    view = AskView(seen, 4, ["confidence"])
    assert view.group.tolist() == [[2, 0, 1, 0]]
    assert np.isnan(view.measures["confidence"]).tolist() == [[False, True, False, True]]
    assert env.action_masks().tolist() == [True, False, True, False, True]
    assert env.step(0)[4]["response"] == "A"


def test_a_measure_is_seen_as_its_rank_among_the_llms_answers_on_the_train_split():
    table = voting_table()
    env = made(table=table, measures=["confidence"], context="mixed")
    train = table.measures["confidence"][table.select(None, "train")]
    env.reset(seed=3)
    cell = env.problem.cells.index(env.waiting_cell + 2)
    seen, *_ = env.step(2)
    below = (train[:, 2] <= table.measures["confidence"][cell]).sum()
    rank = AskView(seen, 4, ["confidence"]).measures["confidence"][0]
    assert rank[2] == pytest.approx(2 * (below + 1) / (train[:, 2].size + 1) - 1)
    assert np.isnan(rank[[0, 1, 3]]).all()


def test_beyond_max_asks_the_vote_is_accepted():
    env = saying("A", "B", "B", "B", max_asks=2)
    _, info = env.reset(seed=0)
    assert info["action_mask"].tolist() == [1, 1, 1, 1, 0]
    env.step(3)
    info = env.step(0)[4]
    assert info["action_mask"].tolist() == [1, 0, 0, 1, 1]
    info = env.step(2)[4]
    assert (info["query_done"], info["llm_index"], info["n_asks"]) == (True, 3, 2)


@pytest.mark.parametrize("parallel", [False, True])
def test_no_policy_is_better_than_asking_each_query_s_best_llm(parallel: bool):
    env = PickLLMMultiEnv(parallel=parallel, observation="none", info="numbers", context="mixed", n_queries=300)
    env.reset(seed=1)
    rng, truncated, least = np.random.default_rng(0), False, np.inf
    while not truncated:
        row, _, repeat = env.problem.cells.index(env.waiting_cell)
        *_, truncated, info = env.step(rng.integers(5))
        if info["query_done"]:
            least = min(least, env.problem.reward_table.rewards[row, :, repeat].max() - info["query_reward"])
    assert least >= -1e-12


def test_a_session_ends_after_so_many_queries_and_not_before():
    env = made(n_queries=3, context="mixed")
    env.reset(seed=0)
    ends = [env.step(action)[3] for action in (0, 1, VOTE, VOTE, 2, 2)]
    assert ends == [False] * 5 + [True]
    with pytest.raises(RuntimeError, match="no query left"):
        env.step(0)


def test_an_episode_of_one_query_goes_on_with_the_session():
    whole, single = made(n_queries=3, info="full"), made(n_queries=3, info="full", episode="query")
    whole.reset(seed=4)
    ids = [whole.step(1)[4]["query_id"] for _ in range(6)][::2]
    following = whole.reset()[1]["query_id"]
    met, info = [], single.reset(seed=4)[1]
    for _ in range(3):
        met.append(info["query_id"])
        single.step(1)
        single.reset()  # a query that was not accepted begins anew
        single.step(1)
        _, _, terminated, truncated, told = single.step(1)
        assert (terminated, truncated, told["n_asks"]) == (True, False, 1)
        info = single.reset()[1]
    assert met == ids
    assert info["query_id"] == following  # the next session is the same too
    assert single.reset(options={"context": "chess"})[1]["context"] == "chess"


def test_what_the_table_lacks_cannot_be_asked():
    env = made(table=sparse_table(missing_share=0.4))
    _, info = env.reset(seed=0)
    while info["action_mask"][:4].all():
        env.step(int(np.argmax(info["action_mask"])))
        info = env.step(VOTE)[4]
    missing = int(np.argmin(info["action_mask"][:4]))
    with pytest.raises(ValueError, match=rf"action {missing} is masked: llm-{missing} cannot be asked"):
        env.step(missing)
    assert env.step(VOTE)[4]["query_done"]


def test_what_is_told_may_differ_from_what_is_true():
    env = made(scenario=[{"event": "noisy_scorer", "step": 0, "rate": 1.0}], weights=(2, 0.5, 0.5))
    env.reset(seed=0)
    for _ in range(5):
        env.step(0)
        info = env.step(0)[4]
        if env.problem.reward.bounds[0] < info["query_reward"]:  # the call did not fail
            assert info["accuracy"] == 1 - info["true_accuracy"]
            gap = info["query_reward"] - info["true_query_reward"]
            assert gap == pytest.approx(2 * (info["accuracy"] - info["true_accuracy"]))


@pytest.mark.parametrize(
    "options", [{}, {"episode": "query"}, {"parallel": True}, {"measures": ["confidence"], "max_asks": 2}]
)
def test_gymnasium_checks_it(options: dict[str, Any], recwarn: pytest.WarningsRecorder):
    check_env(made(**options, info="full"), skip_render_check=True)
    assert not recwarn.list


def test_the_spec_round_trips_with_its_arguments():
    env = gym.make("PickLLM-Multi-v0", parallel=True, max_asks=2, n_queries=5, weights=[1, 0.1, 0])
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    streams = []
    for each in (env, again):
        each.reset(seed=1)
        streams.append([each.step(action)[1] for action in (0, 1, VOTE, VOTE, 2)])
    assert streams[0] == streams[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_asks": 5}, r"max_asks must be 1 to 4, the number of LLMs, got 5\."),
        ({"max_asks": 0}, r"max_asks must be a whole number, 1 or more, got 0\."),
        ({"n_queries": 2.5}, r"n_queries must be a whole number, 1 or more, got 2\.5\."),
        ({"episode": "step"}, r"Unknown episode 'step'.*session"),
        ({"measures": ["confidense"]}, r"Unknown measure 'confidense'\. Did you mean 'confidence'\?"),
        ({"measures": "confidence"}, r"measures must be a list of names, got 'confidence'\."),
        ({"observation": "prompt"}, "got observation='prompt': take one of numbers"),
        ({"extra_terms": {"confidence": 1.0}}, "extra_terms cannot be had with several asks"),
        ({"backend": "vllm"}, "The table was recorded on the pool None, which is not shipped: give pool="),
        ({"backend": "vlm"}, "Unknown backend 'vlm'|not shipped: give pool="),
        ({"max_usd": 1.0}, "max_usd=1.0 needs a live backend"),
        ({"paralel": True}, "Unknown argument 'paralel'. Did you mean 'parallel'"),
        ({"table": random_table(n_llms=1)}, r"need two LLMs or more, and the table .* has one"),
        ({"table": voting_table(response=("", "", None, ""))}, r"has no responses, and a vote compares answers"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message) as refused:
        made(**options)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("action", [-1, 5, 1.0, "0", True, None])
def test_what_is_no_action_is_refused(action: Any):
    env = made()
    env.reset(seed=0)
    with pytest.raises(ValueError, match="action must be"):
        env.step(action)


def test_one_ask_needs_no_responses():
    env = made(table=voting_table(response=("", "", "", "")), max_asks=1)
    env.reset(seed=0)
    env.step(2)
    assert env.step(VOTE)[4]["llm_index"] == 2
