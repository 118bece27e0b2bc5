"""The terms of the additive reward apart and unweighed: what a vector reward is made of, each the higher the better."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from llm_routing_env.rewards.base import LATENCY_FLOOR_MS, TERMS, Reward
from llm_routing_env.tables.cells import Cells

Floats = NDArray[np.float64]
OBJECTIVES = TERMS  # their order in a vector; cost and latency count negatively


def objective_bounds(reward: Reward) -> tuple[Floats, Floats]:
    """Return the lowest and the highest value of each objective, each of shape (3,).

    Args:
        reward: Gives units, highest cost and highest latency; its form and weights do not matter.
    """
    worst = objectives_of(reward, np.array(0.0), np.array(reward.max_cost_usd), np.array(reward.max_latency_s))
    return worst, objectives_of(reward, np.array(1.0), np.array(0.0), np.array(LATENCY_FLOOR_MS / 1000))


def require_measured(cells: Cells) -> None:
    """Raise ValueError if the cost or the latency of some outcome is not known."""
    is_asked = ~np.isnan(cells.accuracy)
    for name, values in (("cost", cells.cost_usd), ("latency", cells.latency_s)):
        lost = int((is_asked & ~cells.failed & np.isnan(values)).sum())
        if lost:
            raise ValueError(
                f"Vector rewards and trade-offs need the {name} of every outcome, and {lost} of {int(is_asked.sum())} "
                "have none: give it to `pickllm import`."
            )


def cell_objectives(cells: Cells, reward: Reward) -> Floats:
    """Return accuracy, -cost / cost scale and -log10(latency in ms) / t_scaling, shape (rows, LLMs, repeats, 3).

    A failed call has the lowest value of each; NaN where there is no outcome.

    Raises:
        ValueError: If the cost or the latency of some outcome is not known, or the cost scale is not above 0.
    """
    require_measured(cells)
    if not 0 < reward.cost_scale_usd < np.inf:
        raise ValueError(f"cost_scale_usd must be a finite number above 0, got {reward.cost_scale_usd}.")
    objectives = objectives_of(reward, cells.accuracy, cells.cost_usd, cells.latency_s)
    objectives[cells.failed] = objective_bounds(reward)[0]
    objectives[np.isnan(cells.accuracy)] = np.nan
    return objectives


def objectives_of(reward: Reward, accuracy: Floats, cost_usd: Floats, latency_s: Floats) -> Floats:
    """Return the objectives of outcomes, the arrays' shape with one more axis of 3; failed calls are not told apart."""
    terms = replace(reward, weights=(1.0, 1.0, 1.0), extra_terms={}).terms(accuracy, cost_usd, latency_s)
    return np.stack([terms["accuracy"], 0.0 - terms["cost"], 0.0 - terms["latency"]], axis=-1)  # 0 - 0 is no -0
