"""Rescaling of rewards to [0, 1], with values computed by hand, and what every agent makes of it by default."""

import numpy as np
import pytest

from llm_routing_env.agents import AGENTS, agent_class, make_agent
from llm_routing_env.agents.kl_ucb import highest_plausible_mean
from llm_routing_env.agents.parts.normalisers import RewardNormaliser

NORMALISING = sorted(name for name in AGENTS if "normaliser" in agent_class(name).hyperparameters())
KEEPING_MEANS = ["kl_ucb", "sliding_window_ucb", "softmax", "thompson_beta", "thompson_gaussian", "ucb1"]
REWARDS = [-1.0, 2.0, 1.0, 4.0, -2.0]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("running_max", [0, 1, 0.5, 1, 0]),
        ("running_minmax", [0, 1, 2 / 3, 1, 0]),
        ("bounds", [0.4, 0.7, 0.6, 0.9, 0.3]),
        ("quantiles", [0, 2 / 3, 1 / 3, 1, 0]),
    ],
)
def test_rewards_are_rescaled_as_named(kind, expected, make_task):
    task = make_task(reward_bounds=(-5.0, 5.0), reward_quantiles=(0.0, 3.0))
    normalise = RewardNormaliser(kind, task, n_rows=1)
    scaled = [normalise(np.array([reward])) for reward in REWARDS]
    np.testing.assert_allclose(scaled, expected, rtol=0, atol=1e-12)


def test_an_unknown_normaliser_is_refused(make_task):
    with pytest.raises(ValueError, match=r"normaliser must be one of running_max, .*, got 'max'"):
        make_agent("ucb1", make_task(), normaliser="max")


def test_each_session_follows_its_own_rewards(make_task):
    normalise = RewardNormaliser("running_max", make_task(), n_rows=2)
    normalise(np.array([2.0, 4.0]))
    np.testing.assert_array_equal(normalise(np.array([1.0, 1.0])), [0.5, 0.25])


def test_quantiles_default_to_the_bounds(make_task):
    normalise = RewardNormaliser("quantiles", make_task(reward_bounds=(0.0, 4.0)), n_rows=1)
    assert normalise(np.array([1.0])) == 0.25


def test_a_range_is_known_once_two_rewards_differ(make_task):
    normalise = RewardNormaliser("running_minmax", make_task(), n_rows=2)
    known = []
    for rewards in ([3.0, 3.0], [3.0, 2.0]):
        normalise(np.array(rewards))
        known.append(normalise.is_known.tolist())
    assert known == [[False, False], [False, True]]
    np.testing.assert_array_equal(normalise.rescale(np.array([[9.0, 3.0], [2.5, 3.0]])), [[0, 0], [0.5, 1]])


@pytest.mark.parametrize("name", sorted(set(NORMALISING) - {"discounted_ucb"}))  # which forgets the earlier arm
def test_rewards_that_are_all_the_same_prefer_no_arm(name, make_task, learn):
    agent = make_agent(name, make_task(2), seed=0)
    learn(agent, (0, -3.0), (1, -3.0))
    np.testing.assert_array_equal(agent.action_probabilities(None), [0.5, 0.5])


@pytest.mark.parametrize("name", NORMALISING)
def test_the_first_reward_teaches_nothing_but_that_the_arm_was_asked(name, make_task):
    """A range needs two rewards: alone, the highest and the lowest say the same."""
    answers = []
    for reward in (-9.0, 4.0):
        agent = make_agent(name, make_task(4), seed=0)
        agent.update(None, 1, reward)
        answers.append(agent.action_probabilities(None))
        assert answers[-1][1] <= 0.25
    np.testing.assert_array_equal(*answers)


@pytest.mark.parametrize("name", ["linear_reward_penalty", "softmax", "thompson_beta", "thompson_gaussian"])
def test_an_arm_is_not_avoided_for_a_first_reward_that_cannot_be_judged(name, make_task):
    agent = make_agent(name, make_task(4), seed=0)
    agent.update(None, 1, -9.0)
    np.testing.assert_allclose(agent.action_probabilities(None), np.full(4, 0.25), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", KEEPING_MEANS)
def test_under_the_default_the_order_of_the_rewards_does_not_matter(name, make_task, learn):
    experience = [(0, -4.0), (0, -2.0), (1, 0.0), (1, -3.0), (2, -1.5), (0, -2.5)]
    probabilities = []
    for order in ([0, 1, 2, 3, 4, 5], [2, 4, 3, 5, 1, 0], [5, 4, 3, 2, 1, 0]):
        agent = make_agent(name, make_task(3), seed=0)
        learn(agent, *[experience[i] for i in order])
        indices = agent._indices()[0] if hasattr(agent, "_indices") else agent.action_probabilities(None)
        probabilities.append(indices)
    np.testing.assert_allclose(probabilities[1:], [probabilities[0]] * 2, rtol=0, atol=1e-9)


def test_means_are_rescaled_by_the_range_known_when_they_are_used(make_task, learn):
    # Arm 0 earned -4 and -2, arm 1 earned 0: in [-4, 0] the means -3 and 0 are 1/4 and 1.
    given = {"ucb1": {"c": 2.0}, "softmax": {"temperature": 0.1}, "thompson_beta": {"prior_failures": 1.0}}
    agents = {name: make_agent(name, make_task(2), **given.get(name, {})) for name in KEEPING_MEANS}
    for agent in agents.values():
        learn(agent, (0, -4.0), (0, -2.0), (1, 0.0))
    width = np.sqrt(2 * np.log(3) / np.array([2, 1]))
    np.testing.assert_allclose(agents["ucb1"]._indices(), np.array([[0.25, 1]]) + width)
    odds = np.exp((1 - 0.25) / 0.1)
    np.testing.assert_allclose(agents["softmax"].action_probabilities(None), np.array([1, odds]) / (1 + odds))
    # Two pulls with mean 1/4 are half a success and one and a half failures.
    np.testing.assert_allclose(agents["thompson_beta"]._posterior(), [[[1.5, 2]], [[2.5, 1]]])
    np.testing.assert_allclose(agents["thompson_gaussian"]._scores(None)[0], [[0.5 / 3, 1 / 2]])
    assert agents["kl_ucb"]._indices()[0, 0] == pytest.approx(
        highest_plausible_mean(np.array([[0.25]]), np.array([[np.log(3) / 2]])).item()
    )


def test_discounted_means_are_rescaled_when_they_are_used(make_task, learn):
    agent = make_agent("discounted_ucb", make_task(2), discount=0.5, exploration=0.6)
    learn(agent, (0, -4.0), (0, -2.0), (1, 0.0))
    # Weights 1/4 and 1/2: arm 0 has mean -8/3, a third of the way from -4 to 0.
    width = 2 * np.sqrt(0.6 * np.log(1.75) / np.array([0.75, 1]))
    np.testing.assert_allclose(agent._indices(), np.array([[1 / 3, 1]]) + width)


MEANS, DEVIATION = np.array([-2.0, -2.6, -3.2, -3.8]), 0.5


def play_gaussian(name, task, n_sessions, n_rounds, scale=1.0, shift=0.0):
    """Return the actions, shape (rounds, sessions), on Gaussian rewards that an affine map changes."""
    agent, rng = make_agent(name, task, n_sessions=n_sessions, seed=1), np.random.default_rng(2)
    actions = []
    for _ in range(n_rounds):
        actions.append(agent.select_action(None))
        rewards = MEANS[actions[-1]] + DEVIATION * rng.standard_normal(n_sessions)
        agent.update(None, actions[-1], scale * rewards + shift)
    return np.array(actions)


@pytest.mark.parametrize("name", NORMALISING)
def test_it_learns_from_negative_rewards_whichever_arm_came_first(name, make_task):
    actions = play_gaussian(name, make_task(4), 2000, 400)
    share = (actions[-100:] == 0).mean(axis=0)
    assert share.mean() > 0.4
    best_came_first = actions[0] == 0
    # An automaton is the more likely to be absorbed by an arm the earlier it was asked; nobody may be put off it.
    assert share[best_came_first].mean() > share[~best_came_first].mean() - 0.05


@pytest.mark.parametrize("name", NORMALISING)
def test_under_the_default_only_the_order_and_the_gaps_of_rewards_matter(name, make_task):
    changed = play_gaussian(name, make_task(4), 50, 150, scale=250.0, shift=-31.0)
    np.testing.assert_array_equal(play_gaussian(name, make_task(4), 50, 150), changed)
