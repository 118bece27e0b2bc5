"""The report's tables: numbers in the units of their heads, dashes, shades and the best agent."""

import pytest
from comparisons import small

from llm_routing_env.evaluation import Comparison
from llm_routing_env.evaluation.references import ORACLE
from llm_routing_env.report.tables import (
    COLUMNS,
    DASH,
    N_SHADES,
    Column,
    agent_rows,
    context_table,
    pair_table,
    routing_table,
)

THIRD = {"mean": 0.3333, "low": 0.25, "high": 0.5}


def test_a_cell_has_the_heads_unit_and_keeps_the_number_to_sort_by():
    cell = Column("latency", "latency_s", "", ".0f", 1000, " ms", shows_range=True).cell(THIRD)
    assert (cell.text, cell.value, cell.range) == ("333 ms", 0.3333, "[250, 500]")


def test_a_missing_number_is_a_dash_that_sorts_nowhere():
    cell = COLUMNS[0].cell({"mean": None, "low": None, "high": None})
    assert (cell.text, cell.value, cell.range) == (DASH, None, "")


def test_a_first_click_puts_the_best_on_top():
    first = {column.head: column.first for column in COLUMNS}
    assert first["reward"] == first["right"] == "descending"
    assert first["$/session"] == first["regret"] == "ascending"


def test_agents_come_before_references(ordinary: Comparison):
    rows = agent_rows(ordinary)
    assert [row.name for row in rows] == [*ordinary.contestants, *ordinary.references.actions]
    assert [row.kind for row in rows[:4]] == ["agent"] * 3 + ["reference"]
    assert (rows[0].protocol, rows[0].feedback) == ("online", "bandit")


def test_the_best_agent_of_each_context_is_marked_once_and_the_oracle_is_darkest(ordinary: Comparison):
    table = context_table(ordinary)
    assert table.heads == ["all", "art", "biology", "chess"]
    for column, context in enumerate(table.heads):
        means = {name: ordinary.metrics[name][context]["reward"]["mean"] for name in ordinary.agents}
        marked = [row.name for row in table.rows if row.cells[column].is_best]
        assert marked == [max(means, key=lambda name: means[name] or 0.0)]
        shades = {row.name: row.cells[column].shade for row in table.rows}
        assert shades[ORACLE] == max(shades.values()) == 5
        assert min(shades.values()) == 0
        assert table.rows[0].cells[column].value == pytest.approx(means[table.rows[0].name])


def test_an_interval_without_width_is_left_out():
    assert Column("reward", "reward", "", shows_range=True).cell({"mean": 0.5, "low": 0.5, "high": 0.5}).range == ""


def test_the_share_of_each_llm_stands_in_its_column(ordinary: Comparison):
    table = routing_table(ordinary)
    assert table.heads == list(ordinary.problem.task.llm_names)
    by_name = {row.name: [cell.value for cell in row.cells] for row in table.rows}
    assert sorted(by_name["cheapest"]) == [0.0, 0.0, 0.0, 1.0]
    assert sum(by_name["random"]) == pytest.approx(1.0)


def test_pairs_are_read_row_less_column_and_few_sessions_shade_nothing(ordinary: Comparison):
    table = pair_table(ordinary)
    assert table.heads == [row.name for row in table.rows] == ordinary.agents
    assert [table.rows[i].cells[i].text for i in range(3)] == [DASH] * 3
    there, back = table.rows[0].cells[1].value, table.rows[1].cells[0].value
    assert there == pytest.approx(-back)
    assert {cell.shade for row in table.rows for cell in row.cells} == {0}  # of 4 sessions
    enough = small(["random", "explore_then_commit"], n_sessions=30)
    enough.pairs["random"]["explore_then_commit"] = {"mean": 0.2, "low": 0.1, "high": 0.3}
    assert pair_table(enough).rows[0].cells[1].shade == N_SHADES
