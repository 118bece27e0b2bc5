"""What an agent may know before it starts."""

import numpy as np
import pytest

from llm_routing_env.agents import LLMInfo, make_agent


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"n_actions": 0}, "n_actions must be at least 1"),
        ({"llm_names": ("one",)}, "llm_names and expected_cost_usd must have an entry for each LLM"),
        ({"expected_cost_usd": (1.0,)}, "llm_names and expected_cost_usd must have an entry for each LLM"),
        ({"reward_bounds": (1.0, 1.0)}, "reward_bounds must be finite and increasing"),
        ({"reward_bounds": (0.0, float("inf"))}, "reward_bounds must be finite and increasing"),
        ({"llms": (LLMInfo("llm0"),)}, "llms must be those of llm_names"),
        ({"reward_quantiles": (0.5, 0.2)}, "reward_quantiles must be finite and increasing"),
    ],
)
def test_impossible_tasks_are_refused(changes, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_task(**changes)


def test_there_may_be_other_actions_than_the_llms(make_task):
    task = make_task(3, llm_names=("a", "b"), expected_cost_usd=(1.0, 2.0))
    assert (task.n_actions, len(task.llms), task.actions_are_llms) == (3, 2, False)
    assert make_task(2).actions_are_llms
    agent = make_agent("ucb1", task, seed=0)
    for arm in range(3):
        agent.update(None, arm, 0.5)
    assert agent.action_probabilities(None).shape == (3,)


def test_the_reward_may_be_known_and_does_not_make_tasks_differ(make_task):
    task = make_task(reward=lambda accuracy, cost_usd, latency_s: accuracy - 100 * cost_usd - latency_s)
    answers = np.array([1.0, 0.0]), np.array([2e-3, 1e-3]), np.array([0.25, 0.5])
    np.testing.assert_allclose(task.reward(*answers), [0.55, -0.6])
    assert task == make_task()
    assert hash(task) == hash(make_task())


def test_llms_that_were_not_described_have_their_names_and_expected_costs(make_task):
    assert make_task(2).llms == (LLMInfo("llm0", expected_cost_usd=1e-3), LLMInfo("llm1", expected_cost_usd=2e-3))
