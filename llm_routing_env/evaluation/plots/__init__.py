"""Figures of a comparison: what the agents choose, what they get for it, what it costs, and how sure all that is."""

from collections.abc import Callable
from pathlib import Path

from llm_routing_env.agents.parts.replacing import replacing
from llm_routing_env.evaluation.plots.costs import cost_accuracy, latencies
from llm_routing_env.evaluation.plots.curves import best_arm_share, committed_share, cumulative_regret, regret_rate
from llm_routing_env.evaluation.plots.lives import life_curves
from llm_routing_env.evaluation.plots.scores import performance_profiles, reward_intervals
from llm_routing_env.evaluation.plots.shares import arm_shares
from llm_routing_env.evaluation.plots.style import Plot
from llm_routing_env.evaluation.result import Comparison

__all__ = ["Plot", "draw", "write_figures"]

Make = Callable[[Comparison], Plot]
ALL = (
    cumulative_regret,
    best_arm_share,
    arm_shares,
    committed_share,
    performance_profiles,
    reward_intervals,
    latencies,
    cost_accuracy,
)
FILES = (arm_shares, cumulative_regret, cost_accuracy)


def _those(usual: tuple[Make, ...], result: Comparison) -> tuple[Make, ...]:
    """Return the figures, with those of lives and of events where there are any."""
    lives, events = (life_curves,) if result.life_curves else (), (regret_rate,) if result.events else ()
    return (*lives, *usual, *events)


def draw(result: Comparison) -> list[Plot]:
    """Return every plot of a comparison; none where no agent ran to the end."""
    return [make(result) for make in _those(ALL, result)] if result.agents else []


def write_figures(result: Comparison, folder: Path) -> list[Path]:
    """Write the figures that tell most into a folder, as PNG files, and return their paths."""
    drawn = [
        plot for plot in (make(result) for make in _those(FILES, result) if result.agents) if plot.figure is not None
    ]
    for plot in drawn:
        plot.figure.suptitle(plot.title, fontsize=11)
        with replacing(folder / f"{plot.name}.png") as new:
            plot.figure.savefig(new, format="png", dpi=190, facecolor="white")
    return [folder / f"{plot.name}.png" for plot in drawn]
