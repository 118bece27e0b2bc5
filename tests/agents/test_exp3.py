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


def test_a_reward_of_an_arm_that_was_not_allowed_is_of_another_choice(make_task, learn):
    agents = [make_agent("exp3", make_task(3), normaliser="bounds") for _ in range(2)]
    agents[0].select_action(None, [1, 1, 0])
    for agent in agents:
        learn(agent, (2, 0.8))
    np.testing.assert_array_equal(agents[0].log_weights, agents[1].log_weights)


def test_importance_weighted_rewards_have_the_right_mean_under_a_mask(make_task):
    """The weight of an arm that is never asked stands still; others' grow by g / M times their estimated rewards."""
    n_sessions, n_rounds, exploration = 4000, 50, 0.3
    agent = make_agent(
        "exp3", make_task(3), n_sessions=n_sessions, seed=0, normaliser="bounds", exploration=exploration
    )
    for _ in range(n_rounds):
        action = agent.select_action(None, [1, 1, 0])
        agent.update(None, action, np.full(n_sessions, 0.5))
    growth = (agent.log_weights - agent.log_weights[:, [2]]).mean(axis=0)
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
