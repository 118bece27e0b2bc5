"""Pairwise matrix factorisation: gradients against differences, and what no constant may change."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.pairwise_mf import _gradients, _unit, win_weights


def test_wins_are_counted_by_gap_or_alike():
    rewards = np.array([[0.5, 0.1, 0.5], [1.0, np.nan, 0.8]])
    gaps = win_weights(rewards, "gap")
    np.testing.assert_allclose(gaps[0], [[0, 0.4, 0], [0, 0, 0], [0, 0.4, 0]])
    assert gaps[1, 0, 2] == pytest.approx(0.2)
    np.testing.assert_array_equal(win_weights(rewards, "equal")[1], [[0, 0, 1], [0, 0, 0], [0, 0, 0]])


def loss(seen, wins, projection, llms, direction):
    delta = (seen @ projection * direction) @ _unit(llms).T
    total = 0.0
    for query, winner, loser in np.argwhere(wins > 0):
        margin = delta[query, winner] - delta[query, loser]
        total -= wins[query, winner, loser] * np.log(1 / (1 + np.exp(-margin)))
    return total + 1e-4 / 2 * np.square(projection).sum()


@pytest.mark.parametrize("array", range(3))
def test_gradients_are_those_of_the_loss(array):
    rng = np.random.default_rng(0)
    seen, wins = rng.normal(size=(6, 4)), win_weights(rng.random((6, 3)), "gap")
    arrays = [rng.normal(size=(4, 5)), rng.normal(size=(3, 5)), rng.normal(size=5)]
    found = _gradients(seen, wins, *arrays)[array]
    for place in np.ndindex(found.shape):
        shifted = []
        for step in (1e-6, -1e-6):
            moved = [one.copy() for one in arrays]
            moved[array][place] += step
            shifted.append(loss(seen, wins, *moved))
        assert found[place] == pytest.approx((shifted[0] - shifted[1]) / 2e-6, abs=1e-6)


def test_only_what_lies_between_llms_counts(make_task, make_training_table):
    """What is added to all rewards of a query changes nothing."""
    task = make_task(3)
    table = make_training_table(task)
    harder = make_training_table(task, rewards=table.rewards - np.arange(60)[:, None])
    scores = []
    for training in (table, harder):
        agent = make_agent("pairwise_mf", task, seed=0)
        agent.fit(training)
        scores.append(agent._scores(table.observations))
    np.testing.assert_allclose(*scores, atol=1e-6)


def test_vectors_of_llms_have_length_1(make_task, make_training_table):
    agent = make_agent("pairwise_mf", make_task(), seed=0)
    agent.fit(make_training_table(make_task()))
    np.testing.assert_allclose(np.linalg.norm(agent.llm_embeddings, axis=1), 1)


@pytest.mark.parametrize("weighting", ["gap", "equal"])
def test_who_wins_where_is_learned(weighting, make_task, make_training_table):
    rng = np.random.default_rng(0)
    task = make_task(2, observation_size=4)
    seen = rng.normal(size=(600, 4))
    rewards = np.stack([seen[:, 0], -seen[:, 0]], axis=1)
    agent = make_agent("pairwise_mf", task, n_sessions=300, seed=0, weighting=weighting)
    agent.fit(make_training_table(task, n_queries=300, observations=seen[:300], rewards=rewards[:300]))
    assert (agent.select_action(seen[300:]) == (seen[300:, 0] < 0)).mean() > 0.97


def test_ties_alone_teach_nothing(make_task, make_training_table):
    agent = make_agent("pairwise_mf", make_task(3), seed=0)
    agent.fit(make_training_table(make_task(3), rewards=np.full((60, 3), 0.5)))
    np.testing.assert_allclose(agent.action_probabilities(np.ones(5)), [1 / 3] * 3)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"weighting": "gaps"}, "Unknown weighting of pairwise_mf 'gaps'. Did you mean 'gap'"),
        ({"rank": 0}, "PairwiseMF: rank must be a whole number, at least 1, got 0"),
        ({"noise": -1.0}, r"PairwiseMF: noise must be finite and at least 0, got -1\.0"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("pairwise_mf", make_task(), **options)
