"""Re-propose: who is asked next, whose answer is accepted, and when a second call pays."""

import numpy as np
import pytest
from asking_tables import asking_task, full_table, made

from llm_routing_env.agents import make_agent
from llm_routing_env.agents.cascade import agreement, pair_features
from llm_routing_env.agents.parts.linear_model import with_intercept


def world(n=2000, seed=0):
    """Return answers and accuracies of three LLMs: two are right in 7 of 10, and alike only where they are."""
    rng = np.random.default_rng(seed)
    right = rng.random((n, 3)) < [0.7, 0.7, 0.5]
    return np.where(right, 0, np.array([1, 2, 3])), right


@pytest.mark.parametrize(("tau", "n_asks"), [(0.0, 1), (1.0, 2)])
def test_tau_is_the_way_from_the_router_to_always_asking_again(tau, n_asks):
    answers, right = world()
    agent = make_agent("re_propose", asking_task(3), tau=tau)
    agent.fit(full_table(answers, right))
    chance = np.tile(right.mean(axis=0), (len(right), 1))
    asked, accepted = agent._proposed(answers, chance, chance, tau)
    assert asked.sum(axis=1).max() == n_asks
    if tau == 0:
        np.testing.assert_array_equal(accepted, right.mean(axis=0).argmax())


def test_of_two_answers_the_likelier_is_accepted_and_of_equal_ones_the_first():
    answers, right = world()
    agent = make_agent("re_propose", asking_task(3, weights=(1, 0, 0)), tau=0.9)
    agent.fit(full_table(answers, right))
    asked = np.array([[True, True, False]] * 2)
    chance, worth = np.tile([0.7, 0.69, 0.5], (2, 1)), np.tile([3.0, 2.0, 1.0], (2, 1))
    given = np.array([[0, 0, -1], [1, 2, -1]])
    likely = agent._likely(given, chance, asked)
    assert likely[0, :2].min() > 0.95  # they agree only where both are right
    following, accepted = agent._next(given, chance, worth, asked, 0.9)
    assert following.tolist() == [-1, -1]
    assert accepted[0] == 0
    assert accepted[1] == likely[1, :2].argmax()


def test_how_likely_an_answer_is_comes_of_every_pair():
    answers, right = world()
    agent = make_agent("re_propose", asking_task(3), max_asks=3)
    agent.fit(full_table(answers, right))
    chance, asked = np.random.default_rng(0).random((4, 3)), np.ones((4, 3), dtype=bool)
    same = agreement(answers[:4])
    by_pair = [
        with_intercept(pair_features(chance[:, [first, 2]], same[:, first, 2])) @ agent.scores[first, 2]
        for first in (0, 1)
    ]
    np.testing.assert_allclose(agent._likely(answers[:4], chance, asked)[:, 2], np.mean(by_pair, axis=0))


@pytest.mark.parametrize(("price", "pays"), [(0.0, True), (1.0, False)])
def test_a_second_call_is_made_where_it_pays(price, pays):
    answers, right = world()
    agent = make_agent("re_propose", asking_task(3, weights=(1, 1, 0)), max_asks=3)
    agent.fit(full_table(answers, right, cost_usd=price))
    assert (agent.threshold > 0.6) == pays


def test_no_more_than_so_many_are_asked():
    agent, env = made("re_propose", tau=1.0, max_asks=3)
    observation, info = env.reset(seed=0)
    most = 0
    for _ in range(20):
        observation, *_, info = env.step(agent.select_action(observation, info["action_mask"]))
        most = max(most, int(info.get("asks", info.get("n_asks", np.zeros(1))).max()))
    assert most <= 3


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"tau": 1.5}, "RePropose: tau must be None, or a probability from 0 to 1, got 1.5"),
        ({"max_asks": 0}, "RePropose: max_asks must be a whole number, 1 or more, got 0"),
        ({"max_asks": True}, "RePropose: max_asks must be a whole number, 1 or more, got True"),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem):
    with pytest.raises(ValueError, match=problem):
        make_agent("re_propose", asking_task(3), **options)
