"""The table of what agents spend against a budget, for terminal and page."""

from llm_routing_env.evaluation.intervals import shown
from llm_routing_env.evaluation.result import Comparison
from llm_routing_env.evaluation.spending import overshoot_shown

SPENDING_HEADS = ("$ per query", "over the budget", "reward at equal spend", "gain over that")
ABOUT_SPENDING = (
    "reward at equal spend: that of the mixture of single LLMs that earns most for as much money, whatever the query. "
    "gain: the row's reward less that, paired."
)


def spending_title(result: Comparison) -> str:
    """Return the table's title."""
    return f"Spent against the budget of ${result.problem.max_usd_per_query:.4g} per query"


def spending_cells(result: Comparison, name: str) -> list[str]:
    """Return what the columns after a row's name say of it; it has spending."""
    found = result.spending[name]
    return [
        shown(found.spent_usd, ".3g"),
        overshoot_shown(found),
        f"{found.at_equal_spend:.3f}",
        shown(found.gain, "+.3f"),
    ]
