"""Tables with next to nothing in them can be faced and inspected, or are refused in one line."""

import json
import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tables import queries, records

import llm_routing_env  # noqa: F401  registers PickLLM-v0
from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.inspection import inspect_table
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable


def made(
    *, per_context: int = 6, contexts: str = "ab", llms: str = "xy", split: str = "", **measures: float
) -> OutcomeTable:
    asked = queries(per_context, list(contexts))
    if split:
        asked = QuerySet(Query(q.query_id, q.context, split, q.prompt, q.references) for q in asked)
    found = {"accuracy": 0.5, "cost_usd": 1e-5, "latency_s": 0.1} | measures
    shape = (len(asked), len(llms), 1)
    rows = records(asked, llms, *(np.full(shape, found[name]) for name in ("accuracy", "cost_usd", "latency_s")))
    return OutcomeTable.from_records(asked, llms, rows, {})


TABLES: dict[str, dict[str, Any]] = {
    "free": {"cost_usd": 0.0},
    "instant": {"latency_s": 0.0},
    "free and instant": {"cost_usd": 0.0, "latency_s": 0.0},
    "free and wrong": {"cost_usd": 0.0, "accuracy": 0.0},
    "all right": {"accuracy": 1.0},
    "one query": {"per_context": 1, "contexts": "a", "split": "test"},
    "one LLM": {"llms": "x"},
    "one context": {"contexts": "a"},
    "one of each": {"per_context": 1, "contexts": "a", "llms": "x", "split": "test"},
    "no train split": {"split": "test"},
}


@pytest.mark.parametrize("form", ["pickllm", "additive"])
@pytest.mark.parametrize("name", TABLES)
def test_they_can_be_faced_and_inspected(name: str, form: str):
    table = made(**TABLES[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make("PickLLM-v0", table=table, observation="context", reward=form)
        env.reset(seed=0)
        assert np.isfinite(env.step(0)[1])
        vector = gym.make_vec("PickLLM-v0", num_envs=2, table=table, observation="context", reward=form)
        vector.reset(seed=0)
        assert np.isfinite(vector.step(np.zeros(2, dtype=int))[1]).all()
        for split in ("test", "all"):
            document = inspect_table(RoutingProblem(table, observation="none", reward=form, split=split))
            json.dumps(document, allow_nan=False)
            assert "nothing to learn" in document["verdict"]


def test_a_table_without_test_split_is_refused_but_can_be_inspected():
    table = made(split="train")
    with pytest.raises(ValueError, match=r"no query in the split 'test'; .*: ask for another with split= or --split"):
        gym.make("PickLLM-v0", table=table, observation="none")
    document = inspect_table(RoutingProblem(table, observation="none", split="all"))
    assert document["not_judged"] == "2 of 2 contexts ('a', 'b') not judged: no query in the test split."
