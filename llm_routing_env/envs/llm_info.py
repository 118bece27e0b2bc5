"""What an agent may know of each LLM before it starts, from the pool's file or from what a table says of its pool."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.task import LLMInfo
from llm_routing_env.rewards.reward_table import mean_of_known

if TYPE_CHECKING:
    from llm_routing_env.envs.problem import RoutingProblem


def llm_infos(problem: "RoutingProblem", train: NDArray[np.int64]) -> tuple[LLMInfo, ...]:
    """Return what is known of each LLM, in the order of the actions.

    Args:
        problem: What is routed.
        train: The queries whose costs and latencies count.
    """
    names = problem.pool.llm_names if problem.pool else problem.table.llm_names
    described = _described(problem)
    seconds = (
        mean_of_known(problem.cells.latency_s[train], (0, 2)) if problem.knows_truth else np.full(len(names), np.nan)
    )
    return tuple(
        LLMInfo(
            name=name,
            **_prices(described.get(name, {})),
            expected_cost_usd=_number(cost),
            expected_latency_s=_number(latency),
        )
        for name, cost, latency in zip(names, _costs_usd(problem, train).tolist(), seconds.tolist(), strict=True)
    )


def expected_costs_usd(problem: "RoutingProblem", train: NDArray[np.int64]) -> tuple[float, ...]:
    """Return the mean cost of some queries for each LLM, in US dollars, as the table or the pool's prices say."""
    return tuple(np.nan_to_num(_costs_usd(problem, train)).tolist())


def _costs_usd(problem: "RoutingProblem", train: NDArray[np.int64]) -> NDArray[np.float64]:
    cells = problem.cells
    if problem.knows_truth:
        return mean_of_known(cells.cost_usd[train], (0, 2))
    is_there = problem.table.present[train]
    prompt, completion = (
        float(tokens[train][is_there].mean()) for tokens in (cells.prompt_tokens, cells.completion_tokens)
    )
    seconds = float(np.nanmean(cells.latency_s[train]))
    llms = problem.pool.llms if problem.pool else ()
    return np.array([llm.cost_usd(round(prompt), round(completion), seconds) for llm in llms])


def _described(problem: "RoutingProblem") -> dict[str, Mapping[str, Any]]:
    """Return each LLM's keys of the pool's file; a table holds them as they were when it was recorded."""
    if problem.pool:
        return {llm.name: vars(llm) for llm in problem.pool.llms}
    recorded = problem.table.metadata.get("pool", {}).get("llm")
    llms = recorded if isinstance(recorded, list) else []
    return {llm["name"]: llm for llm in llms if isinstance(llm, dict) and isinstance(llm.get("name"), str)}


def _prices(llm: Mapping[str, Any]) -> dict[str, Any]:
    """Return prices, longest completion and features; what is paid by the hour has no price per token."""
    is_hourly = bool(llm.get("hardware_usd_per_hour"))
    prices = ("input_price_usd_per_mtok", "output_price_usd_per_mtok")
    features = llm.get("features")
    given = features.items() if isinstance(features, Mapping) else ()
    return {
        **{price: None if is_hourly else _number(llm.get(price)) for price in prices},
        "max_tokens": llm["max_tokens"] if isinstance(llm.get("max_tokens"), int) else None,
        "features": {str(name): float(value) for name, value in given if _number(value) is not None},
    }


def _number(value: Any) -> float | None:
    is_known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300
    return float(value) if is_known else None
