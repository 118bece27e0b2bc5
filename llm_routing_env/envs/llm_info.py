"""What an agent may know of each LLM before it starts, from the pool's file or from what a table says of its pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.agents.parts.task import LLMInfo
from llm_routing_env.rewards.reward_table import mean_of_known
from llm_routing_env.tables.cells import Cells
from llm_routing_env.tables.table import OutcomeTable

if TYPE_CHECKING:  # recorded sessions need none, and start sooner without
    from llm_routing_env.pools.pool import Pool

Ints = NDArray[np.int64]


def llm_infos(table: OutcomeTable, pool: Pool | None, cells: Cells, train: Ints) -> tuple[LLMInfo, ...]:
    """Return what is known of each LLM, in the order of the actions.

    Args:
        table: What was recorded.
        pool: The live LLMs; None: they are the table's.
        cells: The table's numbers.
        train: The queries whose costs and latencies count.
    """
    names, described = pool.llm_names if pool else table.llm_names, _described(table, pool)
    are_recorded = names == table.llm_names
    seconds = mean_of_known(cells.latency_s[train], (0, 2)) if are_recorded else np.full(len(names), np.nan)
    costs_usd = mean_of_known(cells.cost_usd[train], (0, 2))
    if pool and not are_recorded:
        costs_usd = _costs_by_price(pool, cells, np.argwhere(table.present[train]), train)
    return tuple(
        LLMInfo(
            name=name,
            **_prices(described.get(name, {})),
            expected_cost_usd=_number(cost),
            expected_latency_s=_number(latency),
        )
        for name, cost, latency in zip(names, costs_usd.tolist(), seconds.tolist(), strict=True)
    )


def _costs_by_price(pool: Pool, cells: Cells, asked: Ints, train: Ints) -> NDArray[np.float64]:
    """Return the mean cost for LLMs that were not recorded: what the recorded ones read and wrote, by their prices."""
    rows, llms = train[asked[:, 0]], asked[:, 1]
    prompt, completion = (float(tokens[rows, llms].mean()) for tokens in (cells.prompt_tokens, cells.completion_tokens))
    seconds = float(cells.latency_s[rows, llms].mean())
    return np.array([llm.cost_usd(round(prompt), round(completion), seconds) for llm in pool.llms])


def _described(table: OutcomeTable, pool: Pool | None) -> dict[str, Mapping[str, Any]]:
    """Return each LLM's keys of the pool's file; a table holds them as they were when it was recorded."""
    if pool:
        return {llm.name: vars(llm) for llm in pool.llms}
    recorded = table.metadata.get("pool", {}).get("llm")
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
