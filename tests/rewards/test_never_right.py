"""Contexts in which no LLM is ever right, and what is said of why."""

from typing import Any

import numpy as np
import pytest
from tables import records
from typer.testing import CliRunner

from llm_routing_env.cli import app
from llm_routing_env.rewards.never_right import never_right
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable

LLMS = ["a", "b"]
CONTEXTS = ("art", "law", "maths")


def table_of(scorer: str, changes: dict[str, dict[str, Any]], references: tuple[str, ...] = ("B",)) -> OutcomeTable:
    """Return a table of two queries in each of three contexts; `a` is right in art, everything else is 0.

    Args:
        scorer: Its name.
        changes: To the rows of a context.
        references: Of the queries.
    """
    asked = QuerySet(
        Query(f"{context}-{number}", context, "test", f"{context}?", references)
        for context in CONTEXTS
        for number in range(2)
    )
    rows = records(asked, LLMS, 0.0, 1e-5, np.full(1, 0.1))
    for row in rows:
        row |= {"response": "It is the second option", f"accuracy_{scorer}": 0.0}
        if row["query_id"] == "art-1" and row["llm"] == "a":
            row[f"accuracy_{scorer}"] = 1.0
        row |= changes.get(row["query_id"].split("-")[0], {})
        if scorer != "exact_match":
            del row["accuracy_exact_match"]
    return OutcomeTable.from_records(asked, LLMS, rows, {})


def said(table: OutcomeTable) -> list[str]:
    by_context = {context: table.select(context, "test") for context in table.contexts}
    return never_right(table, table.scorer, table.accuracy(table.scorer), by_context)


def test_contexts_are_named_with_a_reference_and_a_response():
    assert said(table_of("exact_match", {})) == [
        "No LLM is ever right in 'law', 'maths': the references may have another form than the responses, such as 'B' "
        "and 'It is the second option'."
    ]


def test_responses_in_which_no_answer_is_found_are_another_reason():
    vague = {"response": "It may be this, or it may be that"}
    assert said(table_of("final_answer", {"law": vague})) == [
        "No LLM is ever right in 'law': final_answer finds no answer in the responses, such as 'It may be this, or it "
        "may be that'.",
        "No LLM is ever right in 'maths': the references may have another form than the responses, such as 'B' and 'It "
        "is the second option'.",
    ]


def test_failed_calls_and_missing_references_are_reasons():
    failed = {"error": "HTTP 500", "response": None}
    assert said(table_of("exact_match", {"law": failed, "maths": {"response": ""}})) == [
        "No LLM is ever right in 'law', 'maths': every call failed, or came back empty."
    ]
    assert said(table_of("exact_match", {}, references=())) == [
        "No LLM is ever right in 'law', 'maths': its queries have no references."
    ]


def test_of_scores_that_came_with_a_table_nothing_is_guessed():
    assert said(table_of("judge", {})) == [
        "No LLM is ever right in 'law', 'maths': so say the scores that came with the table."
    ]


@pytest.mark.parametrize("split", ["test", "all"])
def test_inspect_warns_of_them(tmp_path, split: str):
    table_of("exact_match", {}).write(tmp_path / "t.parquet")
    done = CliRunner().invoke(app, ["inspect", str(tmp_path / "t.parquet"), "--split", split])
    assert done.exit_code == 0, done.output
    assert "No LLM is ever right in 'law', 'maths': the references may have another form" in done.output
