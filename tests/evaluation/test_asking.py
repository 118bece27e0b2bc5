"""Comparisons of agents that may ask several LLMs about a query."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from asking import voting_table
from asking_tables import embedded_table
from tables import random_table

from llm_routing_env.agents import make_agent
from llm_routing_env.envs import PickLLMMultiVectorEnv
from llm_routing_env.envs.asking_table import asking_table
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.comparison import compare
from llm_routing_env.report.words import conditions

ENV = "PickLLM-Multi-v0"
TABLE = voting_table(per_context=30)
SEES = {
    "cascade": {"observation": "features+asks"},
    "subset_vote": {"observation": "features+asks", "size": 2},
    "smoothie": {"observation": "features"},
    "smoothie_pick": {"observation": "features+asks+smoothie", "size": 3},
    "best_of_n": {"observation": "features+asks+matching"},
}


def small(*agents: str, **options: Any) -> Any:
    parameters = {name: SEES[name] for name in agents if name in SEES}
    given = {"table": TABLE, "n_sessions": 3, "length": 10, "reward": "additive", "parameters": parameters, "env": ENV}
    return compare(agents, **(given | options))


def test_rows_are_of_all_asks_beside_the_references_of_one():
    result = small("subset_vote", "random")
    log = result.logs["subset_vote"]["art"]
    assert log.rewards.shape == (3, 10)
    cost = TABLE.cost_usd[result.drawn["art"].queries, log.actions, result.drawn["art"].repeats]
    assert (log.measures["cost_usd"] >= cost - 1e-15).all()
    assert set(np.unique(log.measures["n_asks"])) <= {1, 2}
    mean, several = result.asks["subset_vote"]
    assert (mean, several) == (pytest.approx(1 + several), pytest.approx(mean - 1))
    document = result.document()
    assert list(document["asks"]) == ["subset_vote"]
    row = next(row for row in document["agents"] if row["agent"] == "subset_vote" and row["context"] == "all")
    assert row["metrics"]["optimal_arm_rate"]["mean"] is None
    assert row["metrics"]["reward"]["mean"] == pytest.approx(
        np.mean([g.rewards.mean() for g in result.logs["subset_vote"].values()])
    )


def test_no_agent_is_better_than_the_oracle_of_one_call():
    result = small("cascade", "subset_vote")
    for logs in (result.logs["cascade"], result.logs["subset_vote"]):
        for context, drawn in result.drawn.items():
            best = result.problem.reward_table.rewards[drawn.rows, :, drawn.repeats].max(axis=2)
            assert (logs[context].rewards <= best + 1e-12).all()


def test_agents_that_need_no_label_ask_as_many_as_they_say():
    result = small("smoothie_pick", "best_of_n", "smoothie", table=embedded_table())
    assert result.asks == {"smoothie_pick": (3.0, 1.0), "best_of_n": (2.0, 1.0)}
    assert result.logs["smoothie"]["art"].rewards.shape == (3, 10)


def test_agents_of_one_call_get_what_they_get_in_their_own_environment():
    here, there = small("ucb1"), small("ucb1", env="PickLLM-v0")
    assert here.metrics == there.metrics
    assert "asks" not in here.document()


@pytest.mark.parametrize(
    ("agents", "options", "message"),
    [
        (("cascade",), {"env": "PickLLM-v0"}, "cascade was made for PickLLM-Multi-v0: compare it there, --env"),
        (("ucb1",), {"env": "PickLLM-Multi"}, "Unknown env 'PickLLM-Multi'. Did you mean 'PickLLM-Multi-v0'"),
        (("cascade",), {"feedback_delay": 2}, "learns from a reward at once, or never"),
        (("cascade",), {"propensities": True}, "Steps of cascade, which may ask several LLMs, are not logged"),
        (("cascade",), {"backend": "vllm"}, "PickLLM-Multi-v0 is compared on recorded outcomes only"),
        (("cascade",), {"split": "all"}, "can only be judged on the test split"),
        (("cascade",), {"table": random_table(n_llms=1)}, "need two LLMs or more"),
        (("cascade",), {"table": voting_table(per_context=30, response=("",) * 4)}, "has no responses"),
        (("smoothie_pick",), {}, "has no embeddings of its responses beside it"),
        (("smoothie_pick",), {"table": random_table(n_llms=2)}, "can be seen of 3 or more"),
        (("best_of_n",), {"table": "nano", "parameters": {"best_of_n": {"n": 5}}}, "n must be from 1 to 4, the LLMs"),
        (("smoothie",), {}, "has no embeddings of its responses beside it"),
        (("smoothie",), {"table": voting_table(per_context=30, response=("",) * 4)}, "has no responses"),
        (("smoothie",), {"table": random_table(n_llms=2)}, "one of 3 LLMs or more"),
    ],
)
def test_what_cannot_be_compared_is_refused(agents: tuple[str, ...], options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        small(*agents, **options)


def test_a_table_to_fit_on_is_of_the_train_split_repeat_by_repeat():
    problem = RoutingProblem(TABLE, observation="context", reward="additive")
    table = asking_table(problem)
    train = TABLE.select(None, "train")
    assert table.answers.shape == (len(train) * 2, 4)
    np.testing.assert_array_equal(table.cost_usd[1::2], TABLE.cost_usd[train, :, 1])
    assert table.weights.sum() == pytest.approx(1)
    said = TABLE.texts("response")[train[0], :, 0]
    same = [[a == b and bool(a) for b in said] for a in said]
    found = table.answers[0][:, None] == table.answers[0]
    np.testing.assert_array_equal(found & (table.answers[0] >= 0), same)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "quality", "llm": "dearest", "step": 0, "probability": 1},
        {"event": "price", "llm": "dearest", "step": 0, "factor": 100},
        {"event": "outage", "llm": "cheapest", "step": 0, "hidden": True},
    ],
)
def test_of_what_a_scenario_begins_with_the_fit_knows_nothing(event: dict[str, Any]):
    plain = {"table": TABLE, "observation": "context", "reward": "additive"}
    known, fitted = (asking_table(RoutingProblem(**plain, **more)) for more in ({}, {"scenario": [event]}))
    for name in ("accuracy", "cost_usd", "failed", "answers", "lost_reward"):
        np.testing.assert_array_equal(getattr(fitted, name), getattr(known, name), err_msg=name)


@pytest.mark.parametrize("name", ["cascade", "re_propose", "subset_vote"])
def test_what_the_fit_reckons_with_is_what_the_environment_gives(name: str):
    # An agent's own reckoning of asks on the train split, and the environment's, query by query.
    options = {
        "table": TABLE,
        "observation": "features",
        "split": "train",
        "context": "mixed",
        "weights": (1, 0.3, 0.2),
    }
    env = PickLLMMultiVectorEnv(1, "DISABLED", n_queries=30, **options)
    agent = make_agent(name, env.task, n_sessions=1, observation="features+asks")
    table = asking_table(env.problem)
    agent.fit(table)
    queries = np.repeat(TABLE.select(None, "train"), 2)
    observation, info = env.reset(seed=0)
    ended = np.zeros(1, dtype=bool)
    while not ended.any():
        row, _, repeat = env.problem.cells.index(int(env.waiting_cells[0]))
        asked, done = np.zeros((1, 4), dtype=bool), False
        while not done:
            action = agent.select_action(observation, info["action_mask"])
            observation, _, _, ended, info = env.step(action)
            done = bool(info["query_done"][0])
            asked[0, info["llm_index"]] = True
        place = np.flatnonzero(queries == row)[repeat]
        one = _row(table, place)
        assert agent._worth(one, asked, info["llm_index"])[0] == pytest.approx(info["query_reward"][0], abs=1e-12)


def _row(table: Any, place: int) -> Any:
    values = {field.name: getattr(table, field.name) for field in fields(table)}
    return type(table)(
        **{name: value[place : place + 1] if np.ndim(value) else value for name, value in values.items()}
    )


def test_a_score_without_references_is_not_passed_off_as_being_right():
    table = embedded_table()
    said = conditions(small("random", env="PickLLM-v0", table=table, scorer="matching"))
    assert any("is the score 'matching' here, which knows no reference" in line for line in said)
    assert not any("knows no reference" in line for line in conditions(small("random", table=table)))
