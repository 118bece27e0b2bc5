"""Answers are the same where the scorer reads them so."""

import pytest

from llm_routing_env.rewards.same_answers import NO_ANSWER, same_answers


@pytest.mark.parametrize(
    ("responses", "numbers"),
    [
        (["A", "B", "A"], [0, 1, 0]),
        (["$1,250.0", "The total is 1250.", "So 12.50"], [0, 0, 1]),
        (["B", "B) Paris", "The answer is (B)."], [0, 0, 0]),
        (["Paris", "**Paris**", "The capital is paris."], [0, 0, 0]),
        (["B) Paris", "Paris", "B"], [0, 0, 0]),  # each with the first of its group
        (["", "A", "", "..."], [NO_ANSWER, 0, NO_ANSWER, NO_ANSWER]),
        (["It is not 3", "It is 3"], [0, 1]),
        (
            ["This or that, maybe", "this or that,  maybe!", "Nobody can say, or can they?"],
            [0, 0, 1],
        ),  # none can be read
    ],
)
def test_final_answers_are_read_as_they_are_scored(responses: list[str], numbers: list[int]):
    assert same_answers(responses, "final_answer") == numbers
    assert same_answers(responses, "recorded") == numbers  # of a scorer that we do not have


def test_other_scorers_compare_the_whole():
    responses = ["The total is 1250.", "the  total is 1250", "1250", "is the total 1250"]
    assert same_answers(responses, "exact_match") == [0, 0, 1, 2]
    assert same_answers(responses, "token_f1") == [0, 0, 1, 0]
