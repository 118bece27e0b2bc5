"""The LLM with the lowest expected cost."""

import pytest

from llm_routing_env.agents import make_agent


def test_the_cheapest_available_llm_is_asked(make_task):
    agent = make_agent("cheapest", make_task(3, expected_cost_usd=(0.3, 0.1, 0.2)))
    assert agent.select_action(None) == agent.committed_action == 1
    assert agent.select_action(None, [1, 0, 1]) == 2


def test_the_first_of_equally_cheap_llms_is_asked(make_task):
    assert make_agent("cheapest", make_task(3, expected_cost_usd=(0.2, 0.1, 0.1))).committed_action == 1


def test_actions_that_are_not_the_llms_are_refused(make_task):
    with pytest.raises(ValueError, match=r"Cheapest: task must be one whose actions are its 2 LLMs, got 'n_actions=3'"):
        make_agent("cheapest", make_task(3, llm_names=("a", "b"), expected_cost_usd=(1.0, 2.0)))
