"""What agents spend against a budget, and what it earns beside the best mixture of single LLMs that costs as much."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from llm_routing_env.agents.zero_router import cost_accuracy_hull
from llm_routing_env.evaluation.intervals import Interval, published
from llm_routing_env.evaluation.judging import POOLED, Judge


@dataclass(frozen=True)
class Spending:
    """Of an agent or a reference, over all contexts.

    Attributes:
        spent_usd: Mean cost of a query.
        overshoot: How far that is above the budget, as a share of it; below 0: so much of it is left.
        at_equal_spend: Reward of the mixture of single LLMs that earns most of those that cost no more.
        gain: How much more reward the agent gets than that mixture, paired.
    """

    spent_usd: Interval
    overshoot: float
    at_equal_spend: float
    gain: Interval

    def document(self) -> dict[str, Any]:
        """Return it JSON-plain."""
        found = asdict(self)
        return found | {name: published(found[name]) for name in ("spent_usd", "gain")}


def spending_of(judge: Judge, name: str, budget_usd: float) -> Spending | None:
    """Return what a row spends against a budget per query; None where its costs are not known.

    A mixture of two LLMs asks one or the other by chance, whatever the query; so every point on the hull of single
    LLMs' costs and rewards can be had without routing.

    Args:
        judge: Who judged it.
        name: The row's name.
        budget_usd: The budget.
    """
    spent = judge.mean(name, "cost_usd")
    singles = [row for row in judge.references[POOLED].actions if row.startswith("always ")]
    costs, rewards = (
        np.array([judge.mean(row, measure)["mean"] for row in singles], dtype=np.float64)
        for measure in ("cost_usd", "reward")
    )
    is_known = np.isfinite(costs) & np.isfinite(rewards)
    if spent["mean"] is None or not is_known.any():
        return None
    hull = np.flatnonzero(is_known)[cost_accuracy_hull(costs[is_known], rewards[is_known])]
    shares = {
        singles[llm]: float(np.interp(spent["mean"], costs[hull], corner))
        for llm, corner in zip(hull, np.eye(len(hull)), strict=True)
    }
    shares = {row: share for row, share in shares.items() if share > 0}
    worth = sum(share * float(rewards[singles.index(row)]) for row, share in shares.items())
    return Spending(spent, spent["mean"] / budget_usd - 1, worth, judge.gain_over(name, shares))


def overshoot_shown(spending: Spending) -> str:
    """Return how far above or below the budget, as text."""
    return f"{100 * spending.overshoot:+.1f} %"
