"""The report's words: the reward as it is computed, the table's name, the versions that are installed."""

import math
import platform

import numpy as np
import pytest
from tables import random_table, write_random_table

from llm_routing_env.evaluation import Comparison
from llm_routing_env.report.words import question, reward_formula, versions
from llm_routing_env.reward import make_reward


@pytest.mark.parametrize("form", ["pickllm", "additive"])
@pytest.mark.parametrize("weights", [(1, 0.5, 0.5), (1, 2, 0)])
def test_the_formula_computes_the_reward(form: str, weights: tuple[float, ...]):
    reward = make_reward(random_table(), form, weights, cost_scale_usd=0.002, t_scaling=2)
    formula = reward_formula(reward).replace(" $", "").replace("latency in ms", "250")
    for written, meant in (("×", "*"), ("−", "-"), ("accuracy", "0.75"), ("cost", "0.001")):
        formula = formula.replace(written, meant)
    assert eval(formula, {"log10": math.log10}) == pytest.approx(float(reward(0.75, 0.001, 0.25)))


def test_the_question_names_agents_llms_contexts_and_sizes(ordinary: Comparison):
    first, second = question(ordinary)
    assert first == (
        "epsilon_greedy_q, random and cheapest route queries of the table in memory (test split) to 4 LLMs: llm-0, "
        "llm-1, llm-2 and llm-3."
    )
    assert second.startswith(
        "Every agent faces the same 4 sessions of up to 12 queries in each of 3 contexts (art, biology and chess)"
    )


def test_a_table_has_its_name_and_no_path(tmp_path, ordinary: Comparison):
    from comparisons import small

    assert ordinary.problem.table.name == "in memory"
    assert small(["random"], table="nano", n_sessions=1, length=2).problem.table.name == "nano"
    assert small(["random"], table=write_random_table(tmp_path), n_sessions=1).problem.table.name == "random.parquet"


def test_versions_are_those_installed():
    found = versions()
    assert (found["python"], found["numpy"]) == (platform.python_version(), np.__version__)
