"""Thompson sampling with Beta posteriors: the update by hand, and D3 of the theory."""

import numpy as np
import pytest

from llm_routing_env.agents import make_agent


def test_rewards_count_as_fractions_of_a_success(make_task, learn):
    agent = make_agent("thompson_beta", make_task(2), normaliser="bounds", prior_failures=3.0)
    learn(agent, (0, 1.0), (0, 0.25), (1, 0.0))
    successes, failures = agent._posterior()
    np.testing.assert_allclose(successes, [[2.25, 1.0]])
    np.testing.assert_allclose(failures, [[3.75, 4.0]])


def test_regret_is_far_below_that_of_ucb1(make_task, bernoulli, play, regret):
    means = (0.6, 0.5, 0.45, 0.4)
    agent = make_agent("thompson_beta", make_task(4), n_sessions=200, seed=0, normaliser="bounds")
    curve = regret(play(agent, bernoulli(*means), 10_000), means)
    # UCB1 is at 214 by then, see its test.
    assert curve[-1] == pytest.approx(44, abs=9)


@pytest.mark.parametrize("name", ["prior_successes", "prior_failures"])
def test_priors_must_be_positive(name, make_task):
    with pytest.raises(ValueError, match=rf"ThompsonBeta: {name} must be positive, got 0\.0"):
        make_agent("thompson_beta", make_task(), **{name: 0.0})
