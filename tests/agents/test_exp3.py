"""EXP3: the update by hand, and D4 of the theory."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_weights_grow_by_the_importance_weighted_reward(make_task, learn):
    agent = make_agent("exp3", make_task(2), exploration=0.5, normaliser="bounds")
    learn(agent, (0, 0.8))
    # p = 1/2, so the logarithm of the weight grows by 0.5 * (0.8 / 0.5) / 2 = 0.4.
    weight = np.exp(0.4) / (np.exp(0.4) + 1)
    np.testing.assert_allclose(agent.action_probabilities(None), [0.5 * weight + 0.25, 0.5 * (1 - weight) + 0.25])


def test_under_a_mask_the_weight_counts_the_probability_under_the_mask(make_task):
    agent = make_agent("exp3", make_task(3), exploration=0.5, normaliser="bounds")
    agent.update(None, agent.select_action(None, [1, 0, 0]), 0.8)
    # p = 1, so the logarithm of the weight grows by 0.5 * 0.8 / 3.
    np.testing.assert_allclose(agent.log_weights, np.array([[0, -0.4 / 3, -0.4 / 3]]))


def test_after_a_delay_the_probabilities_that_were_handed_over_count(make_task):
    agent = make_agent("exp3", make_task(2), exploration=0.5, normaliser="bounds")
    agent.update(None, 0, 0.8, probability=0.8)
    # The logarithm of the weight grows by 0.5 * (0.8 / 0.8) / 2, where it would by 0.4 with a probability of 1/2.
    np.testing.assert_allclose(agent.log_weights, [[0, -0.25]])


def estimated_gap(task, is_told, n_sessions=20_000, delay=10, n_rounds=40):
    """Return the mean of what EXP3 estimates arm 1 to earn more than arm 0, where rewards come late.

    The logarithm of a weight grows by g / M times the arm's estimated rewards.
    """
    agent = make_agent("exp3", task, n_sessions=n_sessions, seed=0, normaliser="bounds", exploration=0.4)
    rows, waiting = np.arange(n_sessions), []
    for _ in range(n_rounds + delay):
        chances = agent.action_probabilities(None)
        action = agent.select_action(None)
        waiting.append((action, chances[rows, action]))
        if len(waiting) > delay:
            action, chance = waiting.pop(0)
            agent.update(None, action, np.array([0.9, 0.1])[action], probability=chance if is_told else None)
    return np.diff(agent.log_weights.array, axis=1).mean() * 2 / 0.4 / n_rounds


def test_with_probabilities_handed_over_estimates_are_unbiased_however_late_rewards_come(make_task):
    """Arms earn 0.9 and 0.1, so the gap is -0.8; without the probabilities it is estimated wrongly."""
    assert estimated_gap(make_task(2), is_told=True) == pytest.approx(-0.8, abs=0.01)
    assert abs(estimated_gap(make_task(2), is_told=False) + 0.8) > 0.05


@pytest.mark.parametrize("probability", [0.0, 1.5, np.nan, [0.5, 0.5]])
def test_impossible_probabilities_are_refused(probability, make_task):
    with pytest.raises(ValueError, match=r"EXP3: probability must be 1 number\(s\) above 0 and at most 1, got"):
        make_agent("exp3", make_task()).update(None, 0, 0.5, probability=probability)


def test_importance_weighted_rewards_have_the_right_mean_under_a_mask(make_task):
    """The weight of an arm that is never asked stands still; others' grow by g / M times their estimated rewards."""
    n_sessions, n_rounds, exploration = 4000, 50, 0.3
    agent = make_agent(
        "exp3", make_task(3), n_sessions=n_sessions, seed=0, normaliser="bounds", exploration=exploration
    )
    for _ in range(n_rounds):
        action = agent.select_action(None, [1, 1, 0])
        agent.update(None, action, np.full(n_sessions, 0.5))
    growth = (agent.log_weights.array - agent.log_weights.array[:, [2]]).mean(axis=0)
    np.testing.assert_allclose(growth * 3 / exploration / n_rounds, [0.5, 0.5, 0.0], atol=0.01)


def test_regret_stays_below_its_bound_when_an_adversary_switches_arms(make_task, play):
    n_rounds, n_arms = 3000, 3
    paying = np.repeat([0, 2, 1], [600, 900, 1500])
    best_total = 1500
    exploration = np.sqrt(n_arms * np.log(n_arms) / ((np.e - 1) * best_total))
    agent = make_agent("exp3", make_task(n_arms), n_sessions=50, seed=0, exploration=exploration, normaliser="bounds")
    turn = iter(paying)
    actions = play(agent, lambda action, rng: (action == next(turn)).astype(float), n_rounds)
    regret = best_total - (actions == paying[:, None]).sum(axis=0).mean()
    assert regret <= 2 * np.sqrt(np.e - 1) * np.sqrt(best_total * n_arms * np.log(n_arms))


@pytest.mark.parametrize("exploration", [0.0, 1.1])
def test_exploration_must_be_a_fraction(exploration, make_task):
    with pytest.raises(ValueError, match="EXP3: exploration must be above 0 and at most 1"):
        make_agent("exp3", make_task(), exploration=exploration)
