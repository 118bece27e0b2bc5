"""Calls that fail, as agents on outcomes take them; each test runs on all of them."""

import numpy as np
import pytest

from llm_routing_env.agents import agent_class, make_agent
from llm_routing_env.rewards.additive import Additive

pytestmark = pytest.mark.parametrize("name", ["outcome_thompson", "outcome_ucb", "outcome_linear"])


def seen(n_sessions=None):
    return np.ones(1) if n_sessions is None else np.ones((n_sessions, 1))


def told(accuracy, cost_usd=1e-3, latency_s=1.0):
    return {"accuracy": accuracy, "cost_usd": cost_usd, "latency_s": latency_s}


def worth(agent, n_sessions=1):
    """Return each LLM's expected reward."""
    if hasattr(agent, "_scores"):
        return agent._scores(seen(n_sessions), None)[0]
    believed = agent._believed(seen(n_sessions))
    return believed.base + believed.gain * believed.accuracy


FAILED = told(0.0, np.nan, np.nan)  # an answer is worth its accuracy, and a failed call -10


@pytest.fixture
def failing(make_task):
    return make_task(2, 1, reward_bounds=(-10.0, 1.0))


@pytest.mark.parametrize("outcome", [FAILED, told(0.0), None])
def test_one_failure_in_three_calls_takes_its_share_of_what_answers_are_worth(name, outcome, failing):
    agent, spared = (make_agent(name, failing, seed=0) for _ in range(2))
    for each in (agent, spared):
        for right in (1.0, 0.0):
            each.update(seen(), 0, right, told(right))
    agent.update(seen(), 0, -10.0, outcome)
    share = 1 / (3 + 4 * (1 + np.log(4)))
    expected = worth(spared)[0]
    np.testing.assert_allclose(worth(agent)[0], [(1 - share) * expected[0] - 10 * share, expected[1]], rtol=1e-9)


def asked(agent, n_steps, fails):
    """Return in which sessions the first LLM was asked at each step: right in 9 of 10 answers, the other in 5.

    Args:
        agent: An agent.
        n_steps: How many.
        fails: Whether the first LLM's n-th call fails, from 0.
    """
    n, rng, shares = agent.n_sessions, np.random.default_rng(0), []
    calls = np.zeros(n, dtype=int)
    for _ in range(n_steps):
        action = agent.select_action(seen(n))
        is_first = action == 0
        failed = is_first & np.array([fails(number) for number in calls])
        right = np.where(failed, 0.0, rng.random(n) < np.where(is_first, 0.9, 0.5)).astype(float)
        agent.update(seen(n), action, np.where(failed, -2.0, right), told(right, np.ones(n), np.ones(n)))
        calls += is_first
        shares.append(is_first)
    return np.array(shares)


def test_the_better_llm_is_asked_again_after_its_first_call_failed(name, make_task):
    agent = make_agent(name, make_task(2, 1, reward_bounds=(-2.0, 1.0)), n_sessions=50, seed=0)
    assert asked(agent, 300, lambda number: number == 0)[200:].mean() > 0.9


def test_who_always_fails_is_dropped_soon(name, make_task):
    agent = make_agent(name, make_task(2, 1, reward_bounds=(-2.0, 1.0)), n_sessions=50, seed=0)
    shares = asked(agent, 300, lambda number: True)
    assert shares.sum(axis=0).max() < 30
    assert shares[200:].mean() < 0.02


def test_who_mostly_fails_is_out_while_another_is_always_right(name, make_task):
    agent = make_agent(name, make_task(2, 1, reward_bounds=(-2.0, 1.0)), n_sessions=1, seed=0)
    for _ in range(200):
        for arm, reward in ((0, -2.0), (1, 1.0)):
            agent.update(seen(1), arm, reward, {key: np.array([value]) for key, value in told(float(arm)).items()})
    is_open = agent._scores(seen(1), None)[2] if hasattr(agent, "_scores") else agent._believed(seen(1)).open_arms(None)
    np.testing.assert_array_equal(is_open, [[False, True]])


def test_after_failures_it_asks_with_the_probabilities_that_it_states(name, make_task):
    n = 20_000
    agent = make_agent(name, make_task(2, 1, reward_bounds=(-2.0, 1.0)), n_sessions=n, seed=0, price_slope=0.0)
    for arm, right, failed in [(0, 1, False), (0, 0, True), (1, 1, False), (1, 0, False), (0, 1, False)]:
        right = np.full(n, float(right))
        agent.update(seen(n), np.full(n, arm), right - 2.0 * failed, told(right, np.ones(n), np.ones(n)))
    assert (agent.select_action(seen(n)) == 0).mean() == pytest.approx(
        agent.action_probabilities(seen(n))[0, 0], abs=0.01
    )


@pytest.mark.parametrize("difference", [0.0, 1e-16])  # that of a rounded mean
def test_a_wrong_answer_that_is_worth_no_more_than_a_failed_call_is_an_answer(name, difference, make_task):
    reward = Additive(form="additive", weights=(1, 1, 0), cost_scale_usd=0.1, max_cost_usd=0.3, max_latency_s=1.0)
    costs = (0.3 - difference, 0.1)
    agent = make_agent(name, make_task(2, 1, expected_cost_usd=costs, reward=reward, reward_bounds=reward.bounds))
    agent.update(seen(), 0, reward.bounds[0], told(0.0, 0.3))
    np.testing.assert_array_equal(agent.failed_calls.calls, [[1, 0]])
    assert not agent.failed_calls.failures.any()


def test_the_worst_answer_of_all_is_counted_as_a_failed_call_and_the_mean_is_learned(name, make_task):
    reward = Additive(form="additive", weights=(1, 1, 0), cost_scale_usd=0.1, max_cost_usd=0.3, max_latency_s=1.0)
    agent = make_agent(name, make_task(1, 1, expected_cost_usd=(0.2,), reward=reward, reward_bounds=reward.bounds))
    for _ in range(250):  # worth 0, -1, -2 and -3
        for cost_usd in (0.1, 0.3):
            for right in (1.0, 0.0):
                agent.update(seen(), 0, float(reward(right, cost_usd, 1.0)), told(right, cost_usd))
    assert agent.failed_calls.failures.item() == 250
    assert worth(agent).item() == pytest.approx(-1.5, abs=0.05)


def test_counts_are_saved(name, failing, tmp_path):
    agent = make_agent(name, failing, seed=0)
    agent.update(seen(), 0, -10.0, FAILED)
    agent.save(tmp_path / "agent.npz")
    loaded = agent_class(name).load(tmp_path / "agent.npz", failing)
    np.testing.assert_array_equal(worth(loaded), worth(agent))
    assert loaded.failed_calls.failures.sum() == 1
