"""Subset vote: weighted votes with known probabilities, and stopping early."""

from itertools import product

import numpy as np
import pytest
from asking_tables import asking_task, full_table

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.subset_vote import chosen, subset_vote


@pytest.mark.parametrize(
    ("right", "size", "accuracy"),
    [
        ((0.9, 0.6, 0.6), 1, 0.9),
        ((0.9, 0.6, 0.6), 3, 0.792),
        ((0.7, 0.65, 0.6, 0.6, 0.55), 1, 0.7),
        ((0.7, 0.65, 0.6, 0.6, 0.55), 5, 0.71759),
    ],
)
def test_independent_voters_on_yes_or_no_are_as_right_as_theory_says(
    right: tuple[float, ...], size: int, accuracy: float
):
    cases = np.array(list(product([1, 0], repeat=len(right))))  # 1: gives the right answer
    chances = np.prod(np.where(cases, right, 1 - np.array(right)), axis=1)
    weights = np.tile(right, (len(cases), 1))
    _, accepted = subset_vote(cases, weights, chosen(weights, size))
    assert chances @ cases[np.arange(len(cases)), accepted] == pytest.approx(accuracy, abs=1e-5)


def test_equal_weights_are_a_plain_vote_and_nothing_said_is_no_vote():
    weights = np.full((3, 4), 0.5)
    _, accepted = subset_vote(np.array([[1, 2, 2, 3], [-1, -1, 4, -1], [-1, -1, -1, -1]]), weights, weights > 0)
    assert accepted.tolist() == [1, 2, 0]


def test_stopping_early_never_changes_the_answer():
    rng, n = np.random.default_rng(0), 10_000
    answers, right = rng.integers(4, size=(n, 7)), rng.random((n, 7))
    votes = chosen(right, 5)
    asked, accepted = subset_vote(answers, right, votes)
    totals = np.stack([(right * votes * (answers == answer)).sum(axis=1) for answer in range(4)], axis=1)
    rows = np.arange(n)
    np.testing.assert_array_equal(answers[rows, accepted], totals.argmax(axis=1))
    assert asked.sum(axis=1).max() == 5
    assert asked.sum(axis=1).mean() < 4.5
    assert (asked <= votes).all()
    same = asked & (answers == answers[rows, accepted][:, None])
    np.testing.assert_array_equal(np.where(same, right, -1).argmax(axis=1), accepted)  # the heaviest of those asked


def test_who_votes():
    right = np.array([[0.2, 0.9, 0.6], [0.1, 0.3, 0.2]])
    assert chosen(right, 2).tolist() == [[False, True, True], [False, True, True]]
    assert chosen(right, 0).tolist() == [[False, True, True], [False, True, False]]


@pytest.mark.parametrize(("alike", "size"), [(False, 3), (True, 1)])
def test_the_size_is_what_earns_most_on_the_training_queries(alike: bool, size: int):
    rng, n = np.random.default_rng(0), 3_000
    right = np.repeat(rng.random((n, 1)) < 0.7, 3, axis=1) if alike else rng.random((n, 3)) < 0.7
    answers = np.where(right, 0, [1, 2, 3])
    agent = make_agent("subset_vote", asking_task(3, weights=(1, 0.1, 0)))
    agent.fit(full_table(answers, right, cost_usd=0.01))
    assert agent.n_asks == size


@pytest.mark.parametrize("size", [0, 4, True, "all", 1.5])
def test_a_size_that_is_none_is_refused(size: object):
    with pytest.raises(ValueError, match='size must be None, "positive", or 1 to 3'):
        make_agent("subset_vote", asking_task(3), size=size)
