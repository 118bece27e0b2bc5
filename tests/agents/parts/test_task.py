"""What an agent may know before it starts."""

import pytest

from llm_routing_env.agents import LLMInfo


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"n_actions": 0}, "n_actions must be at least 1"),
        ({"llm_names": ("one",)}, "llm_names must have 4 entries"),
        ({"expected_cost_usd": (1.0,)}, "expected_cost_usd must have 4 entries"),
        ({"reward_bounds": (1.0, 1.0)}, "reward_bounds must be finite and increasing"),
        ({"reward_bounds": (0.0, float("inf"))}, "reward_bounds must be finite and increasing"),
        ({"llms": (LLMInfo("llm0"),)}, "llms must be those of llm_names"),
        ({"reward_quantiles": (0.5, 0.2)}, "reward_quantiles must be finite and increasing"),
    ],
)
def test_impossible_tasks_are_refused(changes, problem, make_task):
    with pytest.raises(ValueError, match=problem):
        make_task(**changes)


def test_llms_that_were_not_described_have_their_names_and_expected_costs(make_task):
    assert make_task(2).llms == (LLMInfo("llm0", expected_cost_usd=1e-3), LLMInfo("llm1", expected_cost_usd=2e-3))
