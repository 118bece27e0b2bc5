"""What an agent may know before it starts: what was recorded, and nothing of a scenario."""

import pytest
from tables import random_table

from llm_routing_env.envs.problem import RoutingProblem

TABLE = random_table(per_context=20)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "outage", "llm": "dearest", "hidden": True},
        {"event": "price", "llm": "cheapest", "factor": 100.0},
        {"event": "latency", "llm": "favourite", "factor": 50.0},
        {"event": "quality", "llm": "favourite", "probability": 1.0},
    ],
    ids=lambda event: event["event"],
)
def test_what_changes_at_the_first_step_is_as_little_known_as_what_changes_later(event):
    recorded = RoutingProblem(TABLE, observation="none").task
    for step in (0, 7):
        task = RoutingProblem(TABLE, observation="none", scenario=[{**event, "step": step}]).task
        assert task.llms == recorded.llms
        assert task.expected_cost_usd == recorded.expected_cost_usd
        assert task.reward_quantiles == recorded.reward_quantiles


def test_a_budget_is_one_of_what_was_recorded():
    least = min(RoutingProblem(TABLE, observation="none").task.expected_cost_usd)
    down = [{"event": "outage", "llm": "cheapest", "step": 0, "hidden": True}]
    with pytest.raises(ValueError, match=r"max_usd_per_query must be at least"):
        RoutingProblem(TABLE, observation="none", scenario=down, max_usd_per_query=least / 2)
