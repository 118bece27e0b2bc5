"""References: the LLM that is best of what is reported, in hindsight and chosen on the other split."""

import numpy as np
import pytest
from tables import queries, records

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.references import BEST_FIXED, CHOSEN_FIXED, CONTEXT_BEST, ORACLE, choose_references
from llm_routing_env.tables.queries import Query, QuerySet
from llm_routing_env.tables.table import OutcomeTable


def problem(accuracy: list[list[int]], split: str = "test") -> RoutingProblem:
    """Two contexts of three queries (the first of each is of the train split), two LLMs, accuracy is the reward."""
    asked = queries(3, ["a", "b"])
    rows = records(asked, ["x", "y"], np.array(accuracy)[..., None], 1e-5, 0.1)
    table = OutcomeTable.from_records(asked, ["x", "y"], rows, {})
    return RoutingProblem(table, observation="none", weights=(1, 0, 0), split=split)


def of_sizes(rewards: dict[str, list[tuple[list[int], int]]], split: str = "test") -> RoutingProblem:
    """Contexts of test queries only, in runs: what x and y get, and how many queries get it."""
    asked, right = [], []
    for context, runs in rewards.items():
        for accuracy, n in runs:
            for _ in range(n):
                asked.append(Query(f"q{len(asked)}", context, "test", f"prompt {len(asked)}", ("yes",)))
                right.append(accuracy)
    table = OutcomeTable.from_records(
        QuerySet(asked), ["x", "y"], records(QuerySet(asked), ["x", "y"], np.array(right)[..., None], 1e-5, 0.1), {}
    )
    return RoutingProblem(table, observation="none", weights=(1, 0, 0), split=split)


def test_choices_by_hand():
    # train rows 0 and 3: x right in a, y right in b and a half: y is better over both, x in a, y in b
    references = choose_references(problem([[1, 1], [1, 0], [0, 1], [0, 1], [0, 0], [1, 0]]), ["a", "b"])
    assert references.chosen_fixed == "y"
    np.testing.assert_array_equal(references.actions[CHOSEN_FIXED][[1, 2, 4, 5]], [1, 1, 1, 1])
    np.testing.assert_array_equal(references.actions[CONTEXT_BEST][[1, 2, 4, 5]], [0, 0, 1, 1])
    np.testing.assert_array_equal(references.actions[ORACLE], [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(references.actions["always x"], 0)
    # test rows: x is right in 1 of a's 2 and 1 of b's 2, y in 1 and 0
    assert references.best_fixed == "x"
    np.testing.assert_array_equal(references.actions[BEST_FIXED], 0)


def test_one_is_chosen_on_the_other_split_and_one_on_the_queries_that_are_judged():
    # On the test queries x always wins; on the train queries y.
    accuracy = [[0, 1], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0]]
    on_test, on_train = (choose_references(problem(accuracy, split), ["a", "b"]) for split in ("test", "train"))
    assert (on_test.chosen_fixed, on_test.best_fixed) == ("y", "x")
    assert (on_train.chosen_fixed, on_train.best_fixed) == ("x", "y")


def test_with_all_queries_each_split_is_judged_by_the_others_choice():
    accuracy = [[0, 1], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0]]
    actions = choose_references(problem(accuracy, split="all"), ["a", "b"]).actions
    np.testing.assert_array_equal(actions[CHOSEN_FIXED], [0, 1, 1, 0, 1, 1])  # wrong everywhere: not in-sample
    np.testing.assert_array_equal(actions[BEST_FIXED], 0)  # right for 4 of 6


def test_contexts_count_equally_however_many_queries_they_have():
    # x is right on 8 of 10 queries of the large context and on none of the small one: 0.4 against y's 0.6.
    unequal = of_sizes({"large": [([1, 0], 8), ([0, 1], 2)], "small": [([0, 1], 2)]})
    assert unequal.expected_rewards().tolist() == pytest.approx([8 / 12, 4 / 12])  # over queries x would win
    assert choose_references(unequal, ["large", "small"]).best_fixed == "y"
    assert choose_references(unequal, ["large", "small"]).chosen_fixed == "y"


def test_a_context_has_its_own_best_fixed_llm():
    unequal = of_sizes({"large": [([1, 0], 8), ([0, 1], 2)], "small": [([0, 1], 2)]})
    assert choose_references(unequal, ["large"]).best_fixed == "x"
    assert choose_references(unequal, ["small"]).best_fixed == "y"
    assert choose_references(unequal, ["mixed"]).best_fixed == "x"  # its queries are all of one session's kind


def test_a_table_of_one_query_has_references():
    one = of_sizes({"only": [([0, 1], 1)]})
    assert choose_references(one, ["only"]).best_fixed == "y"
    assert choose_references(one, ["only"]).chosen_fixed == "y"
