"""Scorers: expected values by hand."""

import numpy as np
import pytest

from llm_routing_env.rewards.scorers import cosine, exact_match, final_answer, get_scorer, token_f1


def score(scorer, response, *references):
    return float(scorer([response], [references])[0])


@pytest.mark.parametrize(
    ("response", "reference", "expected"),
    [("Paris", "paris", 1), (" Paris. ", "Paris", 1), ("It is Paris", "Paris", 0), ("", "Paris", 0)],
)
def test_exact_match(response, reference, expected):
    assert score(exact_match, response, reference) == expected


@pytest.mark.parametrize(
    ("response", "reference", "expected"),
    [
        ("The capital of France is Paris.", "Paris", 1),
        ("Paris is the capital of France.", "Paris", 0),
        ("a caparis", "Paris", 0),  # not on a word boundary
        ("So 12 + 34 = 46", "46", 1),
        ("So 12 + 34 = 146", "46", 0),
        ("46 is the sum of 12 and 34", "46", 0),
        ("It costs 1,250.0 dollars: 1,250.0", "1250", 1),
        ("the loss is -5", "-5", 1),
        ("the loss is 5", "-5", 0),
        ("8 minus 13 is 8-5", "-5", 0),  # a difference, not a sign
        ("the answer is 46.5", "46", 0),
        ("the rate is 5%", "5", 1),
        ("", "46", 0),
        ("[1, 2]", "[1, 2]", 1),
        ("the nan", "nan", 1),
    ],
)
def test_final_answer(response, reference, expected):
    assert score(final_answer, response, reference) == expected


def test_the_best_reference_counts():
    assert score(final_answer, "it is the spouse", "husband", "the spouse") == 1


@pytest.mark.parametrize("scorer", [exact_match, final_answer, token_f1, cosine])
def test_without_a_reference_no_answer_is_right(scorer):
    assert scorer(["Paris", "Paris", ""], [(), ("Paris",), ()]) == pytest.approx([0, 1, 0], abs=1e-6)


def test_token_f1_by_hand():
    # shared: "is", "paris"; 4 words said, 3 wanted: 2 * 2 / (4 + 3)
    assert score(token_f1, "the city is Paris", "it is Paris") == pytest.approx(4 / 7)
    assert score(token_f1, "", "Paris") == 0
    assert score(token_f1, "paris paris", "Paris") == pytest.approx(2 / 3)


def test_cosine_of_real_embeddings():
    responses = ["The capital of France is Paris.", "I like trains.", ""]
    scores = cosine(responses, [("Paris is France's capital.", "Rome")] * 3)
    assert scores[0] > 0.8
    assert scores[1] < 0.4
    assert scores[2] == 0
    assert np.all((scores >= 0) & (scores <= 1))


def test_an_unknown_scorer_names_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'exact_match'"):
        get_scorer("exactmatch")
