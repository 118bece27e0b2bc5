"""References: chosen on the other split, judged on this one."""

import numpy as np
from tables import queries, records

from llm_routing_env.envs.problem import RoutingProblem
from llm_routing_env.evaluation.references import BEST_FIXED, CONTEXT_BEST, ORACLE, choose_references
from llm_routing_env.outcomes import OutcomeTable


def problem(accuracy: list[list[int]], split: str = "test") -> RoutingProblem:
    """Two contexts of three queries (the first of each is of the train split), two LLMs, accuracy is the reward."""
    asked = queries(3, ["a", "b"])
    rows = records(asked, ["x", "y"], np.array(accuracy)[..., None], 1e-5, 0.1)
    table = OutcomeTable.from_records(asked, ["x", "y"], rows, {})
    return RoutingProblem(table, observation="none", weights=(1, 0, 0), split=split)


def test_choices_by_hand():
    # train rows 0 and 3: x right in a, y right in b and a half: y is better over both, x in a, y in b
    references = choose_references(problem([[1, 1], [1, 0], [0, 1], [0, 1], [0, 0], [1, 0]]))
    assert references.best_fixed == "y"
    np.testing.assert_array_equal(references.actions[BEST_FIXED][[1, 2, 4, 5]], [1, 1, 1, 1])
    np.testing.assert_array_equal(references.actions[CONTEXT_BEST][[1, 2, 4, 5]], [0, 0, 1, 1])
    np.testing.assert_array_equal(references.actions[ORACLE], [0, 0, 1, 1, 0, 0])
    np.testing.assert_array_equal(references.actions["always x"], 0)


def test_the_best_fixed_llm_is_not_chosen_on_the_queries_it_is_judged_on():
    # On the test queries x always wins; on the train queries y: y must be the reference.
    accuracy = [[0, 1], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0]]
    assert choose_references(problem(accuracy)).best_fixed == "y"
    assert choose_references(problem(accuracy, split="train")).best_fixed == "x"


def test_with_all_queries_each_split_is_judged_by_the_others_choice():
    accuracy = [[0, 1], [1, 0], [1, 0], [0, 1], [1, 0], [1, 0]]
    actions = choose_references(problem(accuracy, split="all")).actions[BEST_FIXED]
    np.testing.assert_array_equal(actions, [0, 1, 1, 0, 1, 1])  # wrong everywhere: honest, not in-sample
