"""The report's tables: numbers in the units of their heads, dashes, shades and the best agent."""

import pytest

from llm_routing_env.evaluation import Comparison
from llm_routing_env.evaluation.references import ORACLE
from llm_routing_env.report.tables import COLUMNS, DASH, Column, agent_rows, context_table

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
