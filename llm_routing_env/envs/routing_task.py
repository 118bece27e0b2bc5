"""What an agent may know of a routing problem before it starts, and which budget can be kept to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llm_routing_env.agents import RoutingTask
from llm_routing_env.envs.llm_info import llm_infos
from llm_routing_env.observations.observed import observation_size

if TYPE_CHECKING:  # it is made of this module
    from llm_routing_env.envs.problem import RoutingProblem


def routing_task(problem: RoutingProblem) -> RoutingTask:
    """Return what an agent may know: costs, latencies and quantiles as recorded, of the train split if there is one.

    Only the bounds of the reward are those of the scenario.
    """
    train = problem.table.select(None, "train")
    if not len(train):
        train = problem.table.select(None, "all")
    rewards = np.sort(problem.recorded_rewards.rewards[train], axis=None)
    rewards = rewards[: np.searchsorted(rewards, np.nan)]  # missing ones come last
    # np.quantile would import numpy.ma, a twentieth of the time that it takes to make an environment.
    low, high = np.interp([0.05, 0.95], np.linspace(0, 1, rewards.size), rewards)
    llms = llm_infos(problem.table, problem.pool, problem.recorded_cells, train)
    return RoutingTask(
        n_actions=len(llms),
        observation_size=observation_size(problem.observations),
        llm_names=tuple(llm.name for llm in llms),
        expected_cost_usd=tuple(llm.expected_cost_usd or 0.0 for llm in llms),  # 0 where none is known
        reward_bounds=problem.reward.bounds,
        reward_quantiles=(float(low), float(high)) if low < high else None,
        llms=llms,
        observation=problem.observation,
        reward=None if problem.reward.extra_terms else problem.reward,  # further measures no agent is told
        max_usd_per_query=problem.max_usd_per_query,
    )


def require_affordable(problem: RoutingProblem) -> None:
    """Refuse a budget per query that is none, or that no LLM keeps to.

    Raises:
        ValueError: Says what was expected.
    """
    budget = problem.max_usd_per_query
    if budget is None:
        return
    if isinstance(budget, bool) or not isinstance(budget, int | float) or not 0 < budget < np.inf:
        raise ValueError(f"max_usd_per_query must be None, or a finite number above 0, got {budget!r}.")
    costs = {llm.name: llm.expected_cost_usd for llm in problem.task.llms if llm.expected_cost_usd is not None}
    if not costs:
        raise ValueError(
            f"The table {problem.table.name} records no costs, so that no budget can be kept to, got "
            f"max_usd_per_query={budget:g}: leave it out."
        )
    cheapest = min(costs, key=lambda name: costs[name])
    if budget < costs[cheapest]:
        raise ValueError(
            f"max_usd_per_query must be at least {costs[cheapest]:.4g}, the mean cost of the cheapest LLM, "
            f"{cheapest}, got {budget:g}."
        )
