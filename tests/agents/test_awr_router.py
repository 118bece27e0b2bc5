"""Advantage-weighted router: weights by hand, where the softmax ends, and logs."""

import numpy as np
import pytest

from llm_routing_env.agents import LoggedData, make_agent
from llm_routing_env.agents.awr_router import advantage_weights

CHOSEN = np.array([0.5, 0.25, 0.25])  # the log's router


@pytest.mark.parametrize(
    ("beta", "clip", "policy"),
    [
        (1.0, 20.0, [0.798973, 0.146963, 0.054065]),
        (0.2, 20.0, [0.975449, 0.024386, 0.000164]),
        (0.2, np.inf, [0.99662, 0.003358, 0.000023]),
    ],
)
def test_weights_lean_to_what_did_better(beta, clip, policy):
    """Advantages 1, 0 and -1 of LLMs chosen with .5, .25 and .25: mu exp(A / beta), normalised."""
    leaned = CHOSEN * advantage_weights(np.array([1.0, 0.0, -1.0]), beta, clip)
    np.testing.assert_allclose(leaned / leaned.sum(), policy, atol=1e-6)


@pytest.mark.parametrize("beta", [0.05, 0.3, 3.0])
def test_with_the_true_advantage_the_policy_is_no_worse(beta):
    quality = np.array([0.8, 0.5, 0.2])
    value = CHOSEN @ quality
    leaned = CHOSEN * advantage_weights(quality - value, beta, np.inf)
    assert (leaned / leaned.sum()) @ quality >= value
    if beta == 0.3:
        assert (leaned / leaned.sum()) @ quality == pytest.approx(0.723472, abs=1e-6)


def log_of(n, chances, rewards, rng):
    """Return a log of one kind of query, LLMs chosen with the chances, each with its own reward."""
    actions = rng.choice(len(chances), size=n, p=chances)
    return LoggedData(
        observations=np.zeros((n, 5)),
        actions=actions,
        rewards=np.array(rewards)[actions],
        propensities=np.array(chances)[actions],
        outcomes={"accuracy": np.array(rewards)[actions]},
    )


@pytest.mark.parametrize(
    ("divide", "prior"), [(False, [0.7, 0.2, 0.1]), (True, [1.0, 1.0, 1.0])], ids=["near the log", "mu taken out"]
)
def test_the_papers_form_ends_near_the_log_or_not(divide, prior, make_task):
    """It ends at mu exp(A / beta), or exp(A / beta) where each row counts 1 / mu."""
    rewards, chances = [0.4, 0.5, 0.6], [0.7, 0.2, 0.1]
    agent = make_agent("awr_router", make_task(3), advantage="return", beta=0.2, divide_by_propensity=divide)
    agent.fit_log(log_of(20_000, chances, rewards, np.random.default_rng(0)))
    logits = agent._scores(np.zeros((1, 5)))[0]
    policy = np.exp(logits) / np.exp(logits).sum()
    expected = np.array(prior) * np.exp((np.array(rewards) - np.dot(chances, rewards)) / 0.2)
    np.testing.assert_allclose(policy, expected / expected.sum(), atol=0.02)


def test_the_critic_knows_llms_of_queries_that_it_did_not_see_them_on(make_task):
    """Each LLM is right on one side; the log asked at random, and the critic says what the other would have earned."""
    rng = np.random.default_rng(1)
    seen = np.zeros((2000, 5))
    seen[:, 0] = rng.choice([-1.0, 1.0], size=2000)
    actions = rng.integers(2, size=2000)
    right = (seen[:, 0] > 0) == (actions == 1)
    logged = LoggedData(
        seen, actions, right.astype(float), np.full(2000, 0.5), outcomes={"accuracy": right.astype(float)}
    )
    agent = make_agent("awr_router", make_task(2), n_sessions=2, seed=0)
    agent.fit_log(logged)
    assert agent.select_action([[-1.0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0]]).tolist() == [0, 1]
    np.testing.assert_allclose(agent.value, [0.5, 0, 0, 0, 0, 0], atol=0.05)


def test_as_beta_falls_the_critic_is_greedy(make_task, make_training_table):
    task = make_task(3)
    table = make_training_table(task, n_queries=200)
    greedy = make_agent("linear_router", task, n_sessions=200, ridge=1.0)
    near = make_agent("awr_router", task, n_sessions=200, beta=0.2)
    for agent in (greedy, near):
        agent.fit(table)
    same = greedy.select_action(table.observations) == near.select_action(table.observations)
    assert same.mean() > 0.9


def test_a_log_that_lacks_an_llm_is_refused(make_task):
    with pytest.raises(ValueError, match="each LLM must have a training query, got none for LLM 2"):
        make_agent("awr_router", make_task(3)).fit_log(log_of(50, [0.5, 0.5], [0.1, 0.2], np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"beta": 0.0}, "AWRRouter: beta must be positive and finite, got 0.0"),
        ({"advantage": "critics"}, "Unknown advantage of awr_router 'critics'. Did you mean 'critic'"),
        ({"divide_by_propensity": True}, 'AWRRouter: divide_by_propensity must be False, or advantage "return"'),
    ],
)
def test_hyperparameters_out_of_range_are_refused(options, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_agent("awr_router", make_task(), **options)
