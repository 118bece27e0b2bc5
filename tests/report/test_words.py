"""The report's words: the reward as it is computed, the table's name, the versions that are installed."""

import math
import platform
from dataclasses import replace

import numpy as np
import pytest
from comparisons import small
from tables import queries, random_table, records, write_random_table

from llm_routing_env.evaluation import Comparison
from llm_routing_env.report.words import conditions, question, versions
from llm_routing_env.rewards.forms import FORMS, make_reward
from llm_routing_env.tables.queries import QuerySet
from llm_routing_env.tables.table import OutcomeTable


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weights", [(1, 0.5, 0.5), (1, 2, 0)])
def test_the_formula_computes_the_reward(form: str, weights: tuple[float, ...]):
    reward = make_reward(random_table(), form, weights, cost_scale_usd=0.002, t_scaling=2)
    formula = reward.formula.replace(" $", "").replace("latency in ms", "250")
    for written, meant in (("×", "*"), ("−", "-"), ("accuracy", "0.75"), ("cost", "0.001")):
        formula = formula.replace(written, meant)
    assert eval(formula, {"log10": math.log10}) == pytest.approx(float(reward(0.75, 0.001, 0.25)))


def test_the_question_names_agents_llms_contexts_and_sizes(ordinary: Comparison):
    first, second, sizes = question(ordinary)
    assert first == (
        "epsilon_greedy_q, random and cheapest route queries of the table in memory (test split) to 4 LLMs: llm-0, "
        "llm-1, llm-2 and llm-3."
    )
    assert second.startswith(
        "Agents that are judged in sessions face the same 4 sessions in each of 3 contexts (art, biology and chess)"
    )
    assert sizes == "in memory, test split: 4 sessions of 12 of 16 queries in each of 3 contexts."


def test_what_was_not_judged_and_not_measured_is_said():
    asked = QuerySet(
        replace(query, split="train" if query.context == "chess" else "test") for query in queries(4, ["art", "chess"])
    )
    rows = records(asked, ["x", "y"], np.ones((8, 2, 1)), 1e-5, 0.1)
    table = OutcomeTable.from_records(asked, ["x", "y"], rows, {"latency": "simulated: drawn"})
    said = conditions(small(["random"], table=table))
    assert said == [
        "in memory, test split: 4 sessions of all of 4 queries in the context art.",
        "1 of 2 contexts ('chess') not judged: no query in the test split.",
        "The latency is simulated: drawn.",
    ]


def test_contexts_of_different_sizes_are_listed():
    asked = QuerySet([*queries(6, ["art"]), *queries(9, ["chess"])])
    rows = records(asked, ["x", "y"], np.ones((15, 2, 1)), 1e-5, 0.1)
    result = small(["random"], table=OutcomeTable.from_records(asked, ["x", "y"], rows, {}), length=5)
    (said,) = conditions(result)
    assert said == "in memory, test split: 4 sessions per context; queries of each: art 4 of 4, chess 5 of 6."


def test_a_table_has_its_name_and_no_path(tmp_path, ordinary: Comparison):
    assert ordinary.problem.table.name == "in memory"
    assert small(["random"], table="nano", n_sessions=1, length=2).problem.table.name == "nano"
    assert small(["random"], table=write_random_table(tmp_path), n_sessions=1).problem.table.name == "random.parquet"


def test_versions_are_those_installed():
    found = versions()
    assert (found["python"], found["numpy"]) == (platform.python_version(), np.__version__)
